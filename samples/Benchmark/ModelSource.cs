namespace Benchmark;

/// <summary>The folder of the model: the user's, or one of random weights, which is deleted in the end unless it is to be kept.</summary>
internal sealed class ModelSource : IDisposable
{
    private readonly string? _temporary;

    private ModelSource(string path, string? temporary)
    {
        Path = path;
        _temporary = temporary;
    }

    public string Path { get; }

    public static ModelSource Open(Arguments arguments, ProgressLine progress, CancellationToken cancellationToken)
    {
        if (arguments.ModelFolder is { } given) return new ModelSource(given, null);
        string config = ConfigFile(arguments.Config);
        string? temporary = arguments.SaveFolder is null ? Directory.CreateTempSubdirectory("benchmark-").FullName : null;

        // The folder's name is the model's.
        string path = arguments.SaveFolder ?? System.IO.Path.Combine(temporary!, System.IO.Path.GetFileNameWithoutExtension(config));
        var source = new ModelSource(path, temporary);
        try
        {
            var model = new RandomModel(config, arguments.WeightType, (ulong)arguments.Seed);
            model.WriteTo(path, fraction => progress.Show("writing random weights", fraction), cancellationToken);
            return source;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (_temporary is not null) Directory.Delete(_temporary, recursive: true);
    }

    private static string ConfigFile(string nameOrPath)
    {
        if (File.Exists(nameOrPath)) return nameOrPath;
        string folder = System.IO.Path.Combine(AppContext.BaseDirectory, "configs");
        string ready = System.IO.Path.Combine(folder, nameOrPath + ".json");
        if (File.Exists(ready)) return ready;
        string[] names = [.. Directory.GetFiles(folder, "*.json").Select(System.IO.Path.GetFileNameWithoutExtension).OfType<string>().Order(StringComparer.Ordinal)];
        throw new FileNotFoundException($"There is no config file '{nameOrPath}', nor one of that name here: {string.Join(", ", names)}.");
    }
}
