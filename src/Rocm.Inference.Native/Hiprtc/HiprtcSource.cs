using System.Collections.Immutable;

namespace Rocm.Inference.Native.Hiprtc;

/// <summary>A translation unit for hipRTC.</summary>
/// <param name="Name">Its name in diagnostics: "paged_decode.hip".</param>
/// <param name="Text">The source.</param>
/// <param name="Headers">What it may include, by the name it includes it under.</param>
internal sealed record HiprtcSource(string Name, string Text, ImmutableArray<HiprtcHeader> Headers);

/// <summary>A header that is handed to hipRTC instead of being read from disk.</summary>
internal readonly record struct HiprtcHeader(string IncludeName, string Text);
