using System.Globalization;
using Xunit;

namespace Rocm.Inference.Golden.Session;

/// <summary>Tests that measure the whole process: they run when no other does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WholeProcess
{
    public const string Name = "whole process";
}

/// <summary>What this process holds, as Linux tells it.</summary>
internal static class ProcessState
{
    public static long AnonymousBytes
    {
        get
        {
            // Twice, so that what finalizers let go is collected.
            for (int i = 0; i < 2; i++)
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                GC.WaitForPendingFinalizers();
            }

            string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
            return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[1], CultureInfo.InvariantCulture);
        }
    }

    public static int OpenHandles => Directory.GetFiles("/proc/self/fd").Length;

    /// <summary>Threads of sessions and devices; those of the runtime come and go as it likes.</summary>
    public static int SessionThreads
    {
        get
        {
            int count = 0;
            foreach (string task in Directory.GetDirectories("/proc/self/task"))
            {
                try
                {
                    // The kernel keeps 15 characters; the main thread has the name of the program, with a dot in the last place.
                    if (File.ReadAllText(Path.Combine(task, "comm")).StartsWith("Rocm.Inference ", StringComparison.Ordinal)) count++;
                }
                catch (IOException)
                {
                    // Ended meanwhile.
                }
            }

            return count;
        }
    }

    /// <summary>Waits for threads that have done their work and are about to end.</summary>
    public static async Task AssertNoSessionThreadsAsync()
    {
        for (int wait = 0; wait < 200 && SessionThreads > 0; wait++) await Task.Delay(10);
        Assert.Equal(0, SessionThreads);
    }

    public static void SkipUnlessLinux()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("Reads /proc of Linux.");
    }
}
