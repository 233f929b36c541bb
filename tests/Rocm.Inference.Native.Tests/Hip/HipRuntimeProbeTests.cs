using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Native.Tests.Hip;

public sealed class HipRuntimeProbeTests(FakeHipLibraries libraries) : IClassFixture<FakeHipLibraries>
{
    [Fact]
    public void A_device_is_described_by_its_runtime()
    {
        string library = libraries.Build("rocm6", "libamdhip64.so.6");
        HipRuntimeReport report = ProbeProcess.RunOnce(library, Environment(("FAKE_HIP_ARCH", "gfx942:sramecc+:xnack-")));

        Assert.True(report.IsAvailable);
        Assert.Empty(report.Reasons);
        Assert.Equal(library, report.LibraryPath);
        Assert.Equal(new Version(6, 2, 41134), report.RuntimeVersion);
        Assert.Equal(new Version(6, 2), report.HiprtcVersion);
        HipDeviceInfo device = Assert.Single(report.Devices);
        Assert.Equal(("Fake Radeon 0", "gfx942:sramecc+:xnack-", "gfx942"), (device.Name, device.Architecture, device.Target));
        Assert.Equal((16L << 30, false, 60, 32), (device.MemoryBytes, device.IsIntegrated, device.ComputeUnits, device.WaveSize));
    }

    [Fact]
    public void The_properties_of_ROCm_5_are_read_by_their_own_layout()
    {
        string library = libraries.Build("rocm5", "libamdhip64.so.5", "-DROCM5");
        HipRuntimeReport report = ProbeProcess.RunOnce(library, Environment(("FAKE_HIP_ARCH", "gfx90a:sramecc+:xnack-")));

        Assert.Equal("gfx90a:sramecc+:xnack-", Assert.Single(report.Devices).Architecture);
        Assert.Equal(new Version(5, 2, 21153), report.RuntimeVersion);
        Assert.Null(report.HiprtcVersion);
    }

    [Fact]
    public void An_architecture_that_reads_as_anything_else_is_unknown()
    {
        string library = libraries.Build("odd", "libamdhip64.so.6");
        HipRuntimeReport report = ProbeProcess.RunOnce(library, Environment(("FAKE_HIP_ARCH", "Radeon")));

        Assert.Null(Assert.Single(report.Devices).Architecture);
    }

    [Fact]
    public void A_runtime_without_devices_says_so()
    {
        string library = libraries.Build("none", "libamdhip64.so.6");
        HipRuntimeReport report = ProbeProcess.RunOnce(library, Environment(("FAKE_HIP_DEVICES", "0"), ("HIP_VISIBLE_DEVICES", "7")));

        Assert.False(report.IsAvailable);
        Assert.Equal(library, report.LibraryPath);
        Assert.Equal(
            $"{library} (HIP 6.2.41134) sees no AMD GPU: hipGetDeviceCount answered hipErrorNoDevice (100): no ROCm-capable device is detected.",
            report.Reasons[0]);
        Assert.Contains("HIP_VISIBLE_DEVICES is set to '7' and may hide devices.", report.Reasons);
        Assert.Equal(!File.Exists("/dev/kfd") && !File.Exists("/dev/dxg"), report.Reasons.Any(reason => reason.StartsWith("/dev/kfd does not exist", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("hipInit=3", "cannot be initialized: hipInit answered hipErrorNotInitialized (3).")]
    [InlineData("hipGetDeviceCount=35", "cannot be initialized: hipGetDeviceCount answered hipErrorInsufficientDriver (35).")]
    [InlineData("hipInit=101,hipGetDeviceCount=100", "sees no AMD GPU: hipGetDeviceCount answered hipErrorNoDevice (100)")]
    [InlineData("hipInit=12345", "cannot be initialized: hipInit answered unknown HIP error (12345).")]
    public void A_runtime_that_fails_is_reported_with_its_code(string failures, string expected)
    {
        string library = libraries.Build("fails" + failures.Length, "libamdhip64.so.6");
        HipRuntimeReport report = ProbeProcess.RunOnce(library, Environment(("FAKE_HIP_FAIL", failures)));

        Assert.False(report.IsAvailable);
        Assert.Contains(expected, report.Reasons[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hipDeviceGetName")]
    [InlineData("hipDeviceTotalMem")]
    [InlineData("hipDeviceGetAttribute")]
    [InlineData("hipGetDevicePropertiesR0600")]
    public void A_device_that_does_not_answer_is_left_out_with_the_call_that_failed(string function)
    {
        string library = libraries.Build("mute" + function, "libamdhip64.so.6");
        HipRuntimeReport report = ProbeProcess.RunOnce(library, Environment(("FAKE_HIP_FAIL", function + "=1")));

        Assert.False(report.IsAvailable);
        Assert.Equal(
            $"Device 0 cannot be used: {function} failed on device 0: hipErrorInvalidValue, code 1 (invalid argument).", report.Reasons[0]);
    }

    [Fact]
    public void Each_of_several_devices_is_told_apart()
    {
        string library = libraries.Build("two", "libamdhip64.so.6");
        HipRuntimeReport report = ProbeProcess.RunOnce(library, Environment(("FAKE_HIP_DEVICES", "2")));

        Assert.Equal([false, true], report.Devices.Select(device => device.IsIntegrated));
        Assert.Equal(["Fake Radeon 0", "Fake Radeon 1"], report.Devices.Select(device => device.Name));
        Assert.Equal(17L << 30, report.Devices[1].MemoryBytes);
    }

    [Theory]
    [InlineData("-5", "sees no AMD GPU")]
    [InlineData("100000", "answers 100000 devices: not a working HIP runtime.")]
    public void A_count_that_cannot_be_is_not_believed(string devices, string expected)
    {
        string library = libraries.Build("count" + devices, "libamdhip64.so.6");
        HipRuntimeReport report = ProbeProcess.RunOnce(library, Environment(("FAKE_HIP_DEVICES", devices)));

        Assert.False(report.IsAvailable);
        Assert.Contains(expected, report.Reasons[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_failed_call_becomes_an_exception_with_code_name_call_and_device()
    {
        string library = libraries.Build("throws", "libamdhip64.so.6");
        ProbeProcess.Answer answer = Assert.Single(ProbeProcess.Run([library]));

        Assert.Equal(["1|hipErrorInvalidValue|hipInit|3|hipInit failed on device 3: hipErrorInvalidValue, code 1 (invalid argument)."], answer.Exceptions);
    }

    [Fact]
    public void The_variables_name_an_installation_and_its_newest_library_wins()
    {
        libraries.Build("variable", "libamdhip64.so.5", "-DROCM5");
        string newest = libraries.Build("variable", "libamdhip64.so.6");
        string root = Path.Combine(libraries.Root, "variable");

        Assert.Equal(newest, ProbeProcess.RunOnce(null, Environment(("ROCM_PATH", root))).LibraryPath);
        Assert.Equal(newest, ProbeProcess.RunOnce(null, Environment(("HIP_PATH", root), ("ROCM_PATH", "/nowhere"))).LibraryPath);
        Assert.Equal(newest, ProbeProcess.RunOnce(root).LibraryPath);
        Assert.Equal(newest, ProbeProcess.RunOnce(Path.Combine(root, "lib")).LibraryPath);
    }

    [Fact]
    public void A_broken_library_is_passed_over_for_a_sound_one()
    {
        string sound = libraries.Build("mixed", "libamdhip64.so.5", "-DROCM5");
        string garbage = Path.ChangeExtension(sound, ".7"), cut = Path.ChangeExtension(sound, ".6");
        File.WriteAllText(garbage, new string('x', 5000));
        File.WriteAllBytes(cut, File.ReadAllBytes(sound)[..6000]);
        string folder = Path.Combine(libraries.Root, "mixed"), foreign = Path.Combine(folder, "libamdhip64.so.7");
        byte[] image = File.ReadAllBytes(sound);
        image[18] = 40;
        File.WriteAllBytes(foreign, image);
        HipRuntimeReport report = ProbeProcess.RunOnce(folder);

        Assert.Equal(sound, report.LibraryPath);
        Assert.StartsWith("is built for another machine (64-bit ARM)", Assert.Single(report.Attempts, attempt => attempt.Path == foreign).Message, StringComparison.Ordinal);
        Assert.Equal("is not an ELF file", Assert.Single(report.Attempts, attempt => attempt.Path == garbage).Message);
        Assert.StartsWith("is cut short or damaged", Assert.Single(report.Attempts, attempt => attempt.Path == cut).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_library_in_the_loaders_own_path_is_never_handed_to_the_loader()
    {
        string library = libraries.Build("loader", "libamdhip64.so.7");
        File.WriteAllBytes(library, File.ReadAllBytes(library)[..6000]);
        HipRuntimeReport report = ProbeProcess.RunOnce(null, Environment(("LD_LIBRARY_PATH", Path.GetDirectoryName(library)!)));

        Assert.NotEqual(library, report.LibraryPath);
        Assert.Contains(report.Attempts, attempt => attempt.Path == "libamdhip64.so.7" && attempt.Message.StartsWith("not tried by name", StringComparison.Ordinal));
    }

    [Fact]
    public void A_library_in_the_loaders_own_path_is_found()
    {
        string library = libraries.Build("onpath", "libamdhip64.so.7");
        Assert.Equal(library, ProbeProcess.RunOnce(null, Environment(("LD_LIBRARY_PATH", Path.GetDirectoryName(library)!))).LibraryPath);
    }

    [Fact]
    public void A_host_that_resolves_the_imports_itself_gets_its_own_failure_back()
    {
        string library = libraries.Build("hosted", "libamdhip64.so.6");
        HipRuntimeReport report = ProbeProcess.RunOnce(library, Environment((ProbeProcess.HostResolver, "1")));

        Assert.False(report.IsAvailable);
        Assert.Equal([$"The imports are not bound to {library}: the host has no amdhip64"], report.Reasons);
    }

    [Fact]
    public void A_library_of_that_name_which_is_not_a_HIP_runtime_is_refused()
    {
        string library = libraries.Build("incomplete", "libamdhip64.so.6", "-DINCOMPLETE");
        HipRuntimeReport report = ProbeProcess.RunOnce(library);

        Assert.Null(report.LibraryPath);
        Assert.Equal("is not the amdhip64 library: it does not export hipDriverGetVersion", Assert.Single(report.Attempts).Message);
    }

    [Fact]
    public void A_library_whose_dependency_is_missing_is_refused_in_the_loaders_words()
    {
        string dependency = libraries.Build("dependent", "libfakehsa.so.1", "-Wl,-soname,libfakehsa.so.1");
        string library = libraries.Build("dependent", "libamdhip64.so.6", "-Wl,--no-as-needed", dependency);
        File.Delete(dependency);
        HipRuntimeReport report = ProbeProcess.RunOnce(library);

        Assert.Contains("libfakehsa.so.1: cannot open shared object file", Assert.Single(report.Attempts).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_runtime_serves_the_process_and_a_second_one_is_refused()
    {
        string first = libraries.Build("first", "libamdhip64.so.6");
        string second = libraries.Build("second", "libamdhip64.so.6");
        string absent = Path.Combine(libraries.Root, "absent");
        var reports = ProbeProcess.Run([absent, first, second, first, null]).Select(answer => answer.Report).ToArray();

        Assert.Equal([null, first, null, first, first], reports.Select(report => report.LibraryPath));
        Assert.Contains($"{first} is already loaded", reports[2].Reasons[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Absence_takes_less_than_a_second_and_names_every_place()
    {
        string absent = Path.Combine(libraries.Root, "absent");
        ProbeProcess.Answer[] answers = ProbeProcess.Run([absent, absent, absent]);
        HipRuntimeReport report = answers[0].Report;

        Assert.True(answers.Min(answer => answer.Seconds) < 1, $"took {answers.Min(answer => answer.Seconds)} s");
        Assert.False(report.IsAvailable);
        Assert.Equal([absent, Path.Combine(absent, "lib")], report.Attempts.Select(attempt => attempt.Path));
        Assert.StartsWith($"The HIP runtime (amdhip64) cannot be loaded from the explicit path '{absent}'.", report.Reasons[0], StringComparison.Ordinal);
        Assert.Contains($"{absent} (explicit path): no such file or folder", report.Reasons);
        Assert.Contains("HIP runtime: not loaded", answers[0].Text, StringComparison.Ordinal);
    }

    private static Dictionary<string, string> Environment(params (string Name, string Value)[] variables) =>
        variables.ToDictionary(variable => variable.Name, variable => variable.Value);
}
