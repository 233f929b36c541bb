using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;
using Rocm.Inference.Native.Tests.Hip;

namespace Rocm.Inference.Native.Tests.Interop;

/// <summary>Holds the declarations against a real libamdhip64 and real headers, where the machine has them.</summary>
public sealed class HipAbiTests(FakeHipLibraries libraries) : IClassFixture<FakeHipLibraries>
{
    private const string PropertiesR0600 = nameof(HipApi.hipGetDevicePropertiesR0600);

    [Fact]
    public void Every_import_is_required_or_asked_for_before_use()
    {
        string[] optional = [PropertiesR0600, nameof(HipApi.hipGetDeviceProperties)];
        Assert.Equal(Imports(typeof(HipApi)).Order(), RocmLibrary.Hip.RequiredExports.Concat(optional).Order());
        Assert.Equal(Imports(typeof(HiprtcApi)), RocmLibrary.Hiprtc.RequiredExports);
    }

    [Fact]
    public void Every_import_is_exported_by_the_real_runtime()
    {
        nint library = RealRuntime(out string name);
        string[] missing = [.. Imports(typeof(HipApi)).Where(import => !NativeLibrary.TryGetExport(library, import, out _))];
        Assert.Equal(name.EndsWith(".5", StringComparison.Ordinal) ? [PropertiesR0600] : [], missing);
    }

    [Fact]
    public void The_real_runtime_answers_the_probe()
    {
        RealRuntime(out _);
        ProbeProcess.Answer[] answers = ProbeProcess.Run([null, null, null]);
        HipRuntimeReport report = answers[0].Report;
        TestContext.Current.TestOutputHelper?.WriteLine(answers[0].Text);

        Assert.NotNull(report.LibraryPath);
        Assert.InRange(report.RuntimeVersion!.Major, 5, 8);
        Assert.Equal("loaded", report.Attempts[^1].Message);
        if (report.IsAvailable)
        {
            Assert.All(report.Devices, device => Assert.StartsWith("gfx", device.Target, StringComparison.Ordinal));
            return;
        }

        Assert.Contains("sees no AMD GPU: hipGetDeviceCount answered hipErrorNoDevice (100)", report.Reasons[0], StringComparison.Ordinal);
        Assert.True(answers.Min(answer => answer.Seconds) < 1, $"took {answers.Min(answer => answer.Seconds)} s");
    }

    [Fact]
    public void Offsets_attributes_and_codes_agree_with_the_real_header()
    {
        string? include = new[] { Environment.GetEnvironmentVariable("ROCM_PATH"), "/opt/rocm", "/usr" }
            .Where(root => !string.IsNullOrEmpty(root)).Select(root => Path.Combine(root!, "include"))
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "hip", "hip_runtime_api.h")));
        Assert.SkipWhen(include is null, "No hip/hip_runtime_api.h in $ROCM_PATH/include, /opt/rocm/include or /usr/include.");

        string output = libraries.Evaluate(
            """
            #include <stddef.h>
            #include <stdio.h>
            #include <hip/hip_runtime_api.h>
            int main(void) {
              printf("%d %zu %zu %d %d %d %d %d\n", HIP_VERSION_MAJOR, sizeof(hipDeviceProp_t), offsetof(hipDeviceProp_t, gcnArchName), hipDeviceAttributeIntegrated,
                hipDeviceAttributeMultiprocessorCount, hipDeviceAttributeWarpSize, hipErrorNoDevice, hipErrorInvalidDevice);
              return 0;
            }
            """, "-D__HIP_PLATFORM_AMD__", "-I" + include);
        int[] values = [.. output.Split(' ').Select(value => int.Parse(value, CultureInfo.InvariantCulture))];
        TestContext.Current.TestOutputHelper?.WriteLine($"{include}: {output}");

        Assert.InRange(values[1] * 2, 0, HipDeviceProperties.BufferBytes);
        Assert.Equal(values[0] < 6 ? HipDeviceProperties.ArchitectureOffsetR0000 : HipDeviceProperties.ArchitectureOffsetR0600, values[2]);
        Assert.Equal(
            [(int)HipDeviceAttribute.Integrated, (int)HipDeviceAttribute.MultiprocessorCount, (int)HipDeviceAttribute.WarpSize, HipStatus.NoDevice, HipStatus.InvalidDevice],
            values[3..]);
    }

    private static string[] Imports(Type type) =>
    [
        .. type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic).Where(method => method.GetCustomAttribute<DllImportAttribute>() is not null)
            .Select(method => method.Name),
    ];

    private static nint RealRuntime(out string name)
    {
        foreach (string candidate in (string[])["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5"])
        {
            name = candidate;
            if (NativeLibrary.TryLoad(candidate, out nint handle)) return handle;
        }

        name = "";
        Assert.Skip("No libamdhip64 is installed where the system's loader finds it (Debian: libamdhip64-5).");
        return 0;
    }
}
