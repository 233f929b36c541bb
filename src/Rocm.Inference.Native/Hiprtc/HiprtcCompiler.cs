using System.Globalization;
using System.Text;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hiprtc;

/// <summary>Compiles HIP C++ to code objects in this process. Needs no device. Calls may come from any thread; hipRTC runs them one after another.</summary>
internal sealed unsafe class HiprtcCompiler
{
    // Enough to see the first errors; a template error can be megabytes.
    private const int MaxLogCharacters = 4000;

    private readonly HandleLedger? _ledger;

    private HiprtcCompiler(string version, HandleLedger? ledger) => (Version, _ledger) = (version, ledger);

    /// <summary>hipRTC's own version and that of the runtime it came with: hipRTC counts no patches.</summary>
    internal string Version { get; }

    /// <summary>Loads the hipRTC that belongs to a runtime.</summary>
    /// <exception cref="HipException">There is none, or it does not answer.</exception>
    internal static HiprtcCompiler Load(string runtimePath, Version runtimeVersion, HandleLedger? ledger = null)
    {
        CompanionLibrary.Require(RocmLibrary.Hiprtc, runtimePath);
        int major, minor;
        HiprtcStatus.ThrowIfFailed(HiprtcApi.hiprtcVersion(&major, &minor));
        return new HiprtcCompiler(string.Create(CultureInfo.InvariantCulture, $"{major}.{minor} of HIP {runtimeVersion}"), ledger);
    }

    /// <summary>Compiles a translation unit.</summary>
    /// <param name="source">The source and its headers.</param>
    /// <param name="options">Options of the compiler, "--offload-arch=gfx1151" among them.</param>
    /// <param name="log">What the compiler said: warnings.</param>
    /// <returns>The code object.</returns>
    /// <exception cref="HipException">It does not compile; the message carries the compiler's.</exception>
    internal byte[] Compile(HiprtcSource source, IReadOnlyList<string> options, out string log)
    {
        using HiprtcProgramHandle program = Create(source);
        int compiled;
        var texts = new Utf8Texts(options);
        fixed (byte* pinned = texts.Bytes)
        {
            byte** pointers = stackalloc byte*[texts.Count + 1];
            texts.Point(pinned, pointers);
            compiled = HiprtcApi.hiprtcCompileProgram(program, texts.Count, pointers);
        }

        if (compiled != HiprtcStatus.Success)
        {
            HiprtcStatus.ThrowIfFailed(
                compiled, $"{source.Name} does not compile with {string.Join(' ', options)}: {LogOrNothing(program)}", "HiprtcApi.hiprtcCompileProgram(");
        }

        log = ReadLog(program);
        nuint bytes;
        HiprtcStatus.ThrowIfFailed(HiprtcApi.hiprtcGetCodeSize(program, &bytes));
        if (bytes == 0) throw new HipException($"hipRTC compiled {source.Name} to nothing: {log}");
        byte[] code = new byte[checked((int)bytes)];
        fixed (byte* pointer = code) HiprtcStatus.ThrowIfFailed(HiprtcApi.hiprtcGetCode(program, pointer));
        return code;
    }

    private HiprtcProgramHandle Create(HiprtcSource source)
    {
        var program = new HiprtcProgramHandle(_ledger);
        var texts = new Utf8Texts([.. source.Headers.Select(header => header.Text)]);
        var names = new Utf8Texts([.. source.Headers.Select(header => header.IncludeName)]);
        fixed (byte* pinnedTexts = texts.Bytes)
        fixed (byte* pinnedNames = names.Bytes)
        {
            byte** headers = stackalloc byte*[texts.Count + 1];
            byte** includes = stackalloc byte*[names.Count + 1];
            texts.Point(pinnedTexts, headers);
            names.Point(pinnedNames, includes);
            nint created;
            HiprtcStatus.ThrowIfFailed(HiprtcApi.hiprtcCreateProgram(&created, source.Text, source.Name, texts.Count, headers, includes));
            program.Adopt(created);
            return program;
        }
    }

    private static string ReadLog(HiprtcProgramHandle program)
    {
        nuint bytes;
        HiprtcStatus.ThrowIfFailed(HiprtcApi.hiprtcGetProgramLogSize(program, &bytes));
        // Some versions write nothing at all when the log is empty.
        if (bytes <= 1) return "";
        byte[] buffer = new byte[checked((int)bytes)];
        fixed (byte* pointer = buffer) HiprtcStatus.ThrowIfFailed(HiprtcApi.hiprtcGetProgramLog(program, pointer));
        string text = Encoding.UTF8.GetString(buffer).TrimEnd('\0', '\n', ' ');
        return text.Length <= MaxLogCharacters ? text : text[..MaxLogCharacters] + " …";
    }

    /// <summary>For an error that is already on its way.</summary>
    private static string LogOrNothing(HiprtcProgramHandle program)
    {
        try
        {
            return ReadLog(program) is { Length: > 0 } log ? log : "the compiler gives no reason.";
        }
        catch (HipException e)
        {
            return $"the compiler's log cannot be read: {e.Message}";
        }
    }
}
