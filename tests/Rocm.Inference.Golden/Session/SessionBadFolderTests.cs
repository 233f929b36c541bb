using System.Text.Json.Nodes;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>A folder that cannot be used is refused with what was expected and found, and nothing of it stays open or mapped.</summary>
public sealed class SessionBadFolderTests
{
    private const string First = "model-00001-of-00002.safetensors";
    private const string Second = "model-00002-of-00002.safetensors";

    // What is done to the folder, and what the message must name.
    private static readonly Dictionary<string, (Action<SessionFolder> Do, string[] Named)> Damages = new()
    {
        ["missing shard"] = (f => File.Delete(f.File(Second)), [Second]),
        ["missing weights"] = (f => DeleteAll(f, "model*"), ["model.safetensors"]),
        ["truncated shard"] = (f => Damage.Truncate(f, Second, 0.5), [Second]),
        ["shard of no bytes"] = (f => Damage.Truncate(f, Second, 0), [Second, "0 bytes"]),
        ["header larger than the file"] = (f => Damage.HeaderLength(f, First, 1UL << 40), [First]),
        ["header longer than a long"] = (f => Damage.HeaderLength(f, First, ulong.MaxValue), [First]),
        ["header of no bytes"] = (f => Damage.HeaderLength(f, First, 0), [First]),
        ["overlapping tensors"] = (f => Damage.Header(f, First, Overlap), [First, "overlap", "q_proj.weight"]),
        ["tensor beyond the file"] = (f => Damage.Header(f, First, h => Damage.Tensor(h, "embed_tokens.weight")["data_offsets"] = new JsonArray(1L << 60, (1L << 60) + 4)), [First]),
        ["wrong dtype"] = (f => Damage.Header(f, First, h => Damage.Tensor(h, "q_proj.weight")["dtype"] = "I32"), ["q_proj.weight", "I32", "BF16"]),
        ["unknown dtype"] = (f => Damage.Header(f, First, h => Damage.Tensor(h, "q_proj.weight")["dtype"] = "Q4"), [First, "Q4"]),
        ["wrong shape"] = (f => Damage.Header(f, First, Transpose), ["embed_tokens.weight", "256"]),
        ["missing tensor"] = (f => Damage.Header(f, First, Rename), ["q_proj.weight"]),
        ["index out of the folder"] = (f => Replace(f, "model.safetensors.index.json", Second, $"../{Second}"), ["index.json"]),
        ["index that is no JSON"] = (f => File.WriteAllText(f.File("model.safetensors.index.json"), "{"), ["index.json"]),
        ["unknown architecture"] = (f => Damage.Config(f, "architectures", """["MambaForCausalLM"]"""), ["MambaForCausalLM", "LlamaForCausalLM", "Qwen3ForCausalLM"]),
        ["no architecture"] = (NoArchitecture, ["config.json", "Qwen3ForCausalLM"]),
        ["NaN"] = (f => Damage.Config(f, "rope_theta", "NaN"), ["config.json", "NaN"]),
        ["NaN in quotes"] = (f => Damage.Config(f, "rms_norm_eps", "\"NaN\""), ["config.json", "rms_norm_eps"]),
        ["infinity"] = (f => Damage.Config(f, "rms_norm_eps", "1e999"), ["config.json", "rms_norm_eps"]),
        ["negative size"] = (f => Damage.Config(f, "hidden_size", "-64"), ["config.json", "hidden_size", "-64"]),
        ["half a head"] = (f => Damage.Config(f, "num_attention_heads", "2.5"), ["config.json", "num_attention_heads"]),
        ["no head"] = (f => Damage.Config(f, "num_key_value_heads", "0"), ["config.json", "num_key_value_heads"]),
        ["10^9 layers"] = (f => Damage.Config(f, "num_hidden_layers", "1000000000"), ["config.json", "num_hidden_layers", "1000000000"]),
        ["9999 layers"] = (f => Damage.Config(f, "num_hidden_layers", "9999"), ["layers.2."]),
        ["vocabulary of 2^24"] = (f => Damage.Config(f, "vocab_size", "16777216"), ["embed_tokens.weight", "16777216"]),
        ["missing config"] = (f => File.Delete(f.File("config.json")), ["config.json"]),
        ["config that is no object"] = (f => File.WriteAllText(f.File("config.json"), "[]"), ["config.json"]),
        ["missing tokenizer"] = (f => File.Delete(f.File("tokenizer.json")), ["tokenizer.json"]),
        ["tokenizer that is no JSON"] = (f => Damage.Truncate(f, "tokenizer.json", 0.5), ["tokenizer.json"]),
        ["unknown tokenizer model"] = (f => Damage.Tokenizer(f, "model", """{"type":"Morse"}"""), ["tokenizer.json", "Morse"]),
        ["unknown normalizer"] = (f => Damage.Tokenizer(f, "normalizer", """{"type":"Shout"}"""), ["tokenizer.json", "Shout"]),
        ["unknown pre-tokenizer"] = (f => Damage.Tokenizer(f, "pre_tokenizer", """{"type":"Guess"}"""), ["tokenizer.json", "Guess"]),
        ["unknown decoder"] = (f => Damage.Tokenizer(f, "decoder", """{"type":"Mumble"}"""), ["tokenizer.json", "Mumble"]),
        ["unknown post-processor"] = (f => Damage.Tokenizer(f, "post_processor", """{"type":"Polish"}"""), ["tokenizer.json", "Polish"]),
        ["broken generation config"] = (f => File.WriteAllText(f.File("generation_config.json"), """{"temperature":NaN}"""), ["generation_config.json"]),
    };

    public static TheoryData<string> Names => [.. Damages.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Damage_is_named_and_leaves_nothing_behind(string name)
    {
        using SessionFolder folder = SessionFolder.Golden("qwen3", GoldenWeights.Float32, shards: 2);
        Damages[name].Do(folder);

        ModelLoadException refusal = await Assert.ThrowsAnyAsync<ModelLoadException>(() => InferenceSession.LoadAsync(folder.Path, Cpu));

        Assert.All(Damages[name].Named, part => Assert.Contains(part, refusal.Message, StringComparison.Ordinal));
        Assert.InRange(refusal.Message.Length, 20, 1000);
        folder.AssertReleased();

        // The same folder loads as soon as it is whole.
        DeleteAll(folder, "*");
        GoldenCheckpoint.Load("qwen3").WriteTo(folder.Path, GoldenWeights.Float32);
        ByteTokenizer.WriteTo(folder.Path);
        await using (InferenceSession session = await InferenceSession.LoadAsync(folder.Path, Cpu))
            Assert.Equal(2, (await session.CompleteAsync("ab", Answer.Greedy(2))).TokenIds.Count);
        folder.AssertReleased();
    }

    [Fact]
    public async Task A_path_that_is_no_folder_is_named()
    {
        using SessionFolder folder = SessionFolder.Golden("qwen3");
        foreach (string path in (string[])[folder.File("nowhere"), folder.File("config.json")])
        {
            var refusal = await Assert.ThrowsAsync<ModelLoadException>(() => InferenceSession.LoadAsync(path, Cpu));
            Assert.Contains(path, refusal.Message, StringComparison.Ordinal);
        }

        await Assert.ThrowsAnyAsync<ArgumentException>(() => InferenceSession.LoadAsync(" ", Cpu));
    }

    private static InferenceSessionOptions Cpu => new() { Device = DevicePreference.Cpu, NumThreads = 2 };

    private static void DeleteAll(SessionFolder folder, string pattern)
    {
        foreach (string file in Directory.GetFiles(folder.Path, pattern)) File.Delete(file);
    }

    private static void Replace(SessionFolder folder, string file, string old, string by) =>
        File.WriteAllText(folder.File(file), File.ReadAllText(folder.File(file)).Replace(old, by, StringComparison.Ordinal));

    private static void NoArchitecture(SessionFolder folder)
    {
        Damage.Config(folder, "architectures", "[]");
        Damage.Config(folder, "model_type", "null");
    }

    private static void Overlap(JsonObject header)
    {
        JsonArray offsets = Damage.Tensor(header, "embed_tokens.weight")["data_offsets"]!.AsArray();
        JsonArray others = Damage.Tensor(header, "q_proj.weight")["data_offsets"]!.AsArray();
        long length = others[1]!.GetValue<long>() - others[0]!.GetValue<long>();
        long start = offsets[0]!.GetValue<long>() + 4;
        Damage.Tensor(header, "q_proj.weight")["data_offsets"] = new JsonArray(start, start + length);
    }

    private static void Transpose(JsonObject header)
    {
        JsonObject tensor = Damage.Tensor(header, "embed_tokens.weight");
        JsonArray shape = tensor["shape"]!.AsArray();
        tensor["shape"] = new JsonArray(shape[1]!.GetValue<long>(), shape[0]!.GetValue<long>());
    }

    private static void Rename(JsonObject header)
    {
        string name = header.First(entry => entry.Key.EndsWith("q_proj.weight", StringComparison.Ordinal)).Key;
        JsonNode tensor = header[name]!.DeepClone();
        header.Remove(name);
        header["renamed"] = tensor;
    }
}
