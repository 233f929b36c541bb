using System.Text;
using Rocm.Inference.Models;
using Xunit;

namespace Rocm.Inference.Tests.Models;

/// <summary>Damaged files: every byte sequence either loads or is refused with the one typed error, and leaves nothing mapped.</summary>
public sealed class ModelFilesFuzzTests : IDisposable
{
    private const int Rounds = 1000;
    private static readonly string[] Fragments =
        ["null", "-1", "1e999", "NaN", "[]", "{}", "\"", "\\ud800", "1000000000", "99999999999999999999", "true", ",", ":", "\"F64\"", "[[[[[[[[[[", "\0", "é"];

    private readonly CheckpointFolder _folder = new();

    public static TheoryData<string> Configs =>
    [
        TinyLlama.With(
            ("rope_scaling", """{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32}"""), ("layer_types", """["full_attention"]""")),
        TinyExperts.Qwen, TinyExperts.DeepSeek, TinyExperts.GptOss, KimiK2.Config,
    ];

    public static TheoryData<string> Quantized => [TinyExperts.DeepSeek, TinyExperts.GptOss];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Configs))]
    public void Damaged_configs_are_read_or_refused(string config)
    {
        byte[] valid = Encoding.UTF8.GetBytes(config);
        (int accepted, int refused) = Fuzz(valid, damaged =>
        {
            using ConfigFile file = ConfigFile.Parse(damaged, "config.json");
            _ = ModelConfig.Read(file.Root);
            _ = GenerationConfigFile.Read(file.Root);
        });

        Assert.True(accepted > 0 && refused > 0, $"{accepted} accepted, {refused} refused: the damage does not reach both sides");
    }

    [Fact]
    public void Damaged_checkpoints_are_read_or_refused_and_closed()
    {
        _folder.Text("config.json", TinyLlama.Config).Tensors("model.safetensors", TinyLlama.Tensors);
        string path = _folder.File("model.safetensors");
        byte[] valid = File.ReadAllBytes(path);
        int headerEnd = 8 + (int)BitConverter.ToUInt64(valid);
        ModelFolder folder = ModelFolder.Open(_folder.Path);
        (int accepted, int refused) = Fuzz(valid[..headerEnd], damaged =>
        {
            // A new file each time: a mapping of the old one must not be the reason for anything.
            File.Delete(path);
            File.WriteAllBytes(path, [.. damaged.Span, .. valid.AsSpan(headerEnd)]);
            using DecoderPlan plan = DecoderPlan.Create(folder, new ModelRuntimeSettings(32, DType.BF16), DType.F32, ParallelContext.Single);
        });

        Assert.True(refused > 0, $"{accepted} accepted, {refused} refused: the damage is never seen");
        if (OperatingSystem.IsLinux()) Assert.DoesNotContain(_folder.Path, File.ReadAllText("/proc/self/maps"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Quantized))]
    public void Damaged_checkpoints_of_few_bits_are_read_or_refused_by_header_and_by_config(string config)
    {
        TinyExperts.Write(_folder, config);
        string path = _folder.File("model.safetensors");
        byte[] valid = File.ReadAllBytes(path);
        int headerEnd = 8 + (int)BitConverter.ToUInt64(valid);
        ModelFolder folder = ModelFolder.Open(_folder.Path);
        Open(folder);
        (_, int refused) = Fuzz(valid[..headerEnd], damaged =>
        {
            File.Delete(path);
            File.WriteAllBytes(path, [.. damaged.Span, .. valid.AsSpan(headerEnd)]);
            Open(folder);
        }, rounds: Rounds / 2);
        Assert.True(refused > 0, "the damage is never seen");

        File.Delete(path);
        File.WriteAllBytes(path, valid);
        string configPath = _folder.File("config.json");
        (int accepted, refused) = Fuzz(File.ReadAllBytes(configPath), damaged =>
        {
            File.WriteAllBytes(configPath, damaged.Span);
            Open(ModelFolder.Open(_folder.Path));
        }, rounds: Rounds / 2);
        Assert.True(accepted > 0 && refused > 0, $"{accepted} accepted, {refused} refused: the damage does not reach both sides");

        // An 8-bit cache looks at scales, too.
        static void Open(ModelFolder folder) =>
            DecoderPlan.Create(folder, new ModelRuntimeSettings(32, DType.F8E4M3Fn), DType.F32, ParallelContext.Single).Dispose();
    }

    private static (int Accepted, int Refused) Fuzz(byte[] valid, Action<ReadOnlyMemory<byte>> read, int rounds = Rounds)
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        int accepted = 0;
        for (int round = 0; round < rounds; round++)
        {
            byte[] damaged = Damage(valid, random);
            try
            {
                read(damaged);
                accepted++;
            }
            catch (ModelLoadException)
            {
                // The only error that a damaged file may cause.
            }
            catch (Exception e)
            {
                Assert.Fail($"Seed {seed}, round {round}: {e}\n{Encoding.Latin1.GetString(damaged)}");
            }
        }

        return (accepted, rounds - accepted);
    }

    private static byte[] Damage(byte[] valid, Random random)
    {
        var bytes = new List<byte>(valid);
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 20), bytes.Count - at);
            switch (random.Next(6))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.InsertRange(at, bytes.GetRange(random.Next(bytes.Count - length + 1), length)); break;
                case 4: bytes.InsertRange(at, Encoding.UTF8.GetBytes(Fragments[random.Next(Fragments.Length)])); break;
                default: bytes.RemoveRange(at, bytes.Count - at); break;
            }

            if (bytes.Count == 0) return [];
        }

        return [.. bytes];
    }
}
