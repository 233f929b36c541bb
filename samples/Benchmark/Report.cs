using Rocm.Inference;

namespace Benchmark;

/// <summary>What the program prints: what runs on what before the measurements, and a table after them.</summary>
internal static class Report
{
    private const double NoticeableSpread = 1.15;

    public static void Introduce(Arguments arguments, BackendSurvey survey)
    {
        ModelInfo model = survey.Model;
        Console.WriteLine($"device     {survey.Device.Name} ({survey.Device.Architecture}, {survey.Device.ComputeUnits} units): {survey.Device.Reason}");
        Console.WriteLine($"model      {model.Name}: {model.Architecture}, {model.ParameterCount / 1e6:0.0} M parameters, {model.DType}, {model.NumLayers} layers of {model.NumQoHeads} query and {model.NumKvHeads} KV heads");
        Console.WriteLine($"load       {arguments.InputLength} tokens in, {arguments.OutputLength} out, concurrency {string.Join(" and ", arguments.Concurrencies)}, median of {arguments.NumRounds} rounds");
        foreach (SurveyedBackend backend in survey.Backends)
        {
            string verdict = !backend.IsSupported ? $"no: {string.Join("; ", backend.Reasons)}"
                : backend.Name == survey.Attention.Name ? $"yes, a session's own choice: {survey.Attention.Reason}" : "yes";
            Console.WriteLine($"backend    {backend.Name,-24} {verdict}");
        }

        foreach (AttentionPhase phase in survey.Attention.Phases)
            Console.WriteLine($"           {survey.Attention.Name} {phase}");
        Console.WriteLine();
    }

    public static void Summarize(ExperimentResult result)
    {
        Console.WriteLine();
        Console.WriteLine($"{"concurrency",11}  {"backend",-24} {"TPOT mean",13} {"p99",10}          {"TTFT mean",13} {"p99",10}          {"output",15}");
        foreach (MeasuredBackend measured in result.Results)
        {
            Console.WriteLine(
                $"{measured.Concurrency,11}  {measured.Backend,-24}"
                + $" {measured.TokenMs.Value,10:0.00} ms {measured.TokenMsSpread.P99,10:0.00} {measured.TokenMs.TimesWorse,6:0.00}x"
                + $"  {measured.FirstTokenMs.Value,10:0.0} ms {measured.FirstTokenMsSpread.P99,10:0.0} {measured.FirstTokenMs.TimesWorse,6:0.00}x"
                + $"  {measured.OutputTokensPerSecond.Value,7:0.0} tokens/s {measured.OutputTokensPerSecond.TimesWorse,6:0.00}x");
        }

        Console.WriteLine("x: how many times worse than the best at this concurrency.");
        double spread = result.Results.Max(measured => measured.RoundSpread);
        if (spread > NoticeableSpread)
            Console.WriteLine($"Rounds of one backend differ by up to {spread:0.00}x: something else kept the machine busy, or answers are short. More --rounds help.");
        long preemptions = result.Results.Sum(measured => measured.Rounds.Sum(round => round.Preemptions));
        if (preemptions > 0)
            Console.WriteLine($"The KV cache was too small: requests began again {preemptions} times, which is in the numbers. Lower --concurrency or the lengths.");
        Console.WriteLine();
    }
}
