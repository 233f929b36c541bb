using Benchmark;
using Rocm.Inference;

if (!Arguments.TryParse(args, out Arguments arguments, out string problem))
{
    Console.Error.WriteLine(problem);
    Console.Error.WriteLine("Run with --help for the options.");
    return 2;
}

if (arguments.Help)
{
    Console.WriteLine(Arguments.HelpText);
    return 0;
}

// Ctrl-C cancels what is running; sessions end in an orderly way and a random model's folder is deleted.
using var cancel = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    cancel.Cancel();
};

using var progress = new ProgressLine();
try
{
    if (arguments.Info) Console.WriteLine(SystemReport.Create(new InferenceSessionOptions { NumThreads = arguments.Threads }));
    using ModelSource model = ModelSource.Open(arguments, progress, cancel.Token);
    BackendSurvey survey = await BackendSurvey.MakeAsync(arguments, model.Path, progress, cancel.Token);
    Report.Introduce(arguments, survey);
    if (survey.Unknown(arguments.Backends) is { Count: > 0 } unknown)
    {
        Console.Error.WriteLine($"Unknown: {string.Join(", ", unknown)}. Known attention backends: {string.Join(", ", survey.Backends.Select(b => b.Name))}.");
        return 2;
    }

    if (arguments.Info) return 0;
    IReadOnlyList<string> measured = survey.Usable(arguments.Backends);
    if (measured.Count == 0)
    {
        Console.Error.WriteLine("None of the backends that were asked for can run this model here; the reasons are above.");
        return 1;
    }

    ExperimentResult result = await new Experiment(arguments, survey, model.Path, measured, progress).RunAsync(cancel.Token);
    Report.Summarize(result);
    if (arguments.JsonFile is { } json) ResultFile.Write(result, json);
    if (arguments.ChartFile is { } chart) ResultChart.Write(result, chart);
    return 0;
}
catch (OperationCanceledException)
{
    progress.Clear();
    Console.Error.WriteLine("Stopped.");
    return 130;
}
catch (Exception error) when (error is RocmInferenceException or ArgumentException or IOException or UnauthorizedAccessException
    or System.Text.Json.JsonException or Microsoft.Extensions.Options.OptionsValidationException)
{
    progress.Clear();
    Console.Error.WriteLine(error.Message);
    return 1;
}
