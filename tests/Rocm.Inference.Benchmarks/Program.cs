using Rocm.Inference.Benchmarks;
using Rocm.Inference.Benchmarks.KernelReport;

// Stopwatch benchmarks: each figure is printed next to the floors measured in the same run (bandwidth for what streams weights, FMA peak for
// what computes), because absolute figures of a shared machine drift. Not part of build or test.
string command = args.Length > 0 ? args[0] : "help";
var options = BenchOptions.Parse(args);
switch (command)
{
    case "limits":
        LimitsBench.Run(options);
        return 0;
    case "linear":
        LinearBench.Run(options);
        return 0;
    case "scaled":
        ExpertsBench.RunLinear(options);
        return 0;
    case "experts":
        ExpertsBench.RunGrouped(options);
        return 0;
    case "attention":
        AttentionBench.Run(options);
        return 0;
    case "roofline":
        RooflineBench.Run(options);
        return 0;
    case "flash":
        FlashBench.Run(options);
        return 0;
    case "mla":
        MlaBench.Run(options);
        return 0;
    case "backends":
        BackendBench.Run(options);
        return 0;
    case "plans":
        BackendBench.RunPlans(options);
        return 0;
    case "ops":
        OpsBench.Run(options);
        return 0;
    case "kernels":
        LinearBench.Run(options);
        AttentionBench.Run(options);
        OpsBench.Run(options);
        return 0;
    case "shape":
        ShapeBench.Run(options);
        return 0;
    case "make-model":
        ModelMaker.Run(new CommandArguments(args));
        return 0;
    case "session":
        await SessionBench.RunAsync(new CommandArguments(args));
        return 0;
    case "hip-host":
        HipHostBench.Run(options, new CommandArguments(args));
        return 0;
    case "kernel-report":
        KernelReportCommand.Run(new CommandArguments(args));
        return 0;
    case "tokenizer":
        TokenizerBench.Run(new CommandArguments(args));
        return 0;
    default:
        Console.WriteLine(BenchOptions.Help);
        return command == "help" ? 0 : 1;
}
