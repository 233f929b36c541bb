using Rocm.Inference;

namespace QuickStart;

/// <summary>What the sample prints about the session before, and about the generation after the text.</summary>
internal static class Report
{
    public static void Introduce(InferenceSession session)
    {
        ModelInfo model = session.Model;
        Console.WriteLine($"device     {session.Device.Name} ({session.Device.Architecture}, {session.Device.ComputeUnits} units): {session.Device.Reason}");
        Console.WriteLine($"model      {model.Name}: {model.Architecture}, {model.ParameterCount / 1e6:0.0} M parameters, {model.DType}, context {model.MaxModelLen}");
        if (model.DType is DType.F8E4M3Fn or DType.F8E4M3Fnuz or DType.F8E5M2)
            Console.WriteLine($"products   {model.LinearProvider} with 8-bit weights: {string.Join(" ", model.LinearProviderReasons)}");
        if (model.ExpertsProvider is { } experts && (experts == "aiter" || model.ExpertsProviderReasons.Count > 0))
            Console.WriteLine($"experts    {experts}: {string.Join(" ", model.ExpertsProviderReasons)}");
        Console.WriteLine($"attention  {session.Attention.Name}: {session.Attention.Reason}");
        foreach (AttentionPhase phase in session.Attention.Phases)
            Console.WriteLine($"           {phase}");
        foreach (RefusedAttentionBackend refused in session.Attention.Refused)
            Console.WriteLine($"           not {refused.Name}: {string.Join(", ", refused.Reasons)}");
        Console.WriteLine();
    }

    public static void Summarize(GenerationUpdate? last)
    {
        if (last?.Usage is not { } usage || last.Timings is not { } timings) return;
        Console.WriteLine();
        Console.WriteLine($"prompt tokens        {usage.PromptTokens,10}");
        Console.WriteLine($"generated tokens     {usage.GeneratedTokens,10}");
        Console.WriteLine($"time to first token  {timings.TimeToFirstToken.TotalMilliseconds,10:0.0} ms");
        Console.WriteLine($"tokens per second    {timings.GeneratedTokensPerSecond,10:0.0}");
        Console.WriteLine($"finished             {last.FinishReason,10}");
    }
}
