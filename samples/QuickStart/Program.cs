using QuickStart;
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

// Ctrl-C cancels what is running; the session then ends in an orderly way.
using var cancel = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    cancel.Cancel();
};

try
{
    var options = new InferenceSessionOptions
    {
        Device = arguments.Device,
        AttentionBackend = arguments.AttentionBackend,
        NumThreads = arguments.Threads,
    };
    if (arguments.Info)
    {
        Console.WriteLine(SystemReport.Create(options));
        if (!arguments.HasModel) return 0;
    }

    using var bar = new ProgressBar();
    await using InferenceSession session = await InferenceSession.LoadAsync(arguments.ModelPath, options, bar, cancel.Token);
    bar.Complete();
    Report.Introduce(session);
    if (arguments.Info) return 0;

    Console.Write(arguments.Prompt);
    GenerationUpdate? last = null;
    var generation = new GenerationOptions { MaxNewTokens = arguments.MaxNewTokens, Temperature = arguments.Temperature, Seed = arguments.Seed };
    await foreach (GenerationUpdate update in session.GenerateAsync(arguments.Prompt, generation, cancel.Token))
    {
        Console.Write(update.Text);
        last = update;
    }

    Console.WriteLine();
    Report.Summarize(last);
    return 0;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine();
    Console.Error.WriteLine("Stopped.");
    return 130;
}
catch (Exception error) when (error is RocmInferenceException or ArgumentException or Microsoft.Extensions.Options.OptionsValidationException)
{
    Console.Error.WriteLine();
    Console.Error.WriteLine(error.Message);
    return 1;
}
