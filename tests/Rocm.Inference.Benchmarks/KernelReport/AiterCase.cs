using Rocm.Inference.Devices;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.SelfTest;
using Rocm.Inference.SelfTest.Checks;
using Shape = Rocm.Inference.SelfTest.AttentionShape;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>An attention primitive at a shape that AITER has a kernel for, too.</summary>
/// <param name="Primitive">The primitive.</param>
/// <param name="Shape">The layer group and its cache.</param>
/// <param name="Check">Makes the operands and runs it.</param>
/// <param name="KvTokens">Cached tokens times KV heads; null for prefill.</param>
/// <param name="MegaFlops">Products of queries with the keys that they see, and of probabilities with values.</param>
internal sealed record AiterCase(AiterPrimitive Primitive, Shape Shape, SelfTestCheck Check, double? KvTokens, double MegaFlops)
{
    private static readonly PagedRow[] Decode = [new(511, 1), new(300, 1)], Long = [new(4095, 1), new(2047, 1)];

    /// <summary>All cases, bf16.</summary>
    public static IEnumerable<AiterCase> All()
    {
        foreach (PagedRow[] rows in (PagedRow[][])[Decode, Long])
        {
            foreach (int heads in (int[])[16, 32])
            {
                AttentionSpec spec = SmallModels.Spec(DType.BF16, heads, 2, 128, DType.BF16);
                var shape = new Shape(spec, KvLayoutKind.Shuffled, 16);
                SelfTestCheck check = PagedChecks.Paged(nameof(IAttentionKernels.PagedDecode), shape, rows, KvSplit.Fixed);
                yield return new AiterCase(AiterPrimitive.PagedDecode, shape, check, Tokens(rows) * spec.NumKvHeads, Flops(Tokens(rows), spec));
            }
        }

        foreach (PagedRow[] rows in (PagedRow[][])[Decode, Long])
        {
            var shape = new Shape(SmallModels.LatentSpec(DType.BF16, 16, DType.BF16), KvLayoutKind.MlaLatent, 16);
            SelfTestCheck check = PagedChecks.MlaDecode(shape, rows, KvSplit.Fixed);
            yield return new AiterCase(AiterPrimitive.MlaDecode, shape, check, Tokens(rows), Flops(Tokens(rows), shape.Absorbed.Spec));
        }

        foreach (int tokens in (int[])[256, 512])
        {
            PagedRow[] rows = [new(0, tokens)];
            double pairs = tokens * (tokens + 1.0) / 2;
            AttentionSpec plain = SmallModels.Spec(DType.BF16, 4, 1, 128, DType.BF16), latent = SmallModels.LatentSpec(DType.BF16, 2, DType.BF16);
            foreach (Shape shape in (Shape[])[new(plain, KvLayoutKind.Nhd, 16), new(latent, KvLayoutKind.MlaLatent, 16)])
            {
                SelfTestCheck check = FlashChecks.Flash(shape, rows, isCausal: true, isPacked: false);
                yield return new AiterCase(AiterPrimitive.FlashVarlen, shape, check, null, Flops(pairs, shape.Spec));
            }
        }
    }

    private static double Tokens(PagedRow[] rows) => rows.Sum(row => row.SeqLen);

    private static double Flops(double pairs, AttentionSpec spec) => pairs * 2 * (spec.HeadDim + spec.VHeadDim) * spec.NumQoHeads / 1e6;
}
