using Rocm.Inference.Native.Tests.Hip;
using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace Rocm.Inference.Native.Tests;

internal static class Program
{
    // A process can load one HIP runtime only, so every test that loads one runs this program again.
    private static Task<int> Main(string[] args) => args switch
    {
        [ProbeProcess.Switch, ..] => Task.FromResult(ProbeProcess.RunAsChild(args[1..])),
        [ChildProcess.Switch, ..] => Task.FromResult(ChildProcess.RunAsChild(args[1..])),
        _ when args.Any(arg => arg is "--server" or "--internal-msbuild-node") =>
            TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions),
        _ => ConsoleRunner.Run(args),
    };
}
