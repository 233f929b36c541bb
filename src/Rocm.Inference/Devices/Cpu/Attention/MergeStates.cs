using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Merges two partial results by their LSE (Milakov and Gimelshein, "Online normalizer calculation for softmax"), one token at a time.</summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    // Elements from which tokens are shared out over the crew.
    private const long MergeSharedFrom = 32 * 1024;

    public void MergeStates(DeviceContext context, in MergeStatesArgs args)
    {
        TensorView output = args.Output;
        if (output.IsAbsent || output.Rank != 3) throw new ArgumentException($"Expected F32[tokens, heads, head dim], found {output}.", nameof(args));
        long tokens = output.Dim(0), heads = output.Dim(1), dim = output.Dim(2);
        CheckHeads(output, tokens, heads, dim, nameof(args.Output));
        CheckHeads(args.OutputA, tokens, heads, dim, nameof(args.OutputA));
        CheckHeads(args.OutputB, tokens, heads, dim, nameof(args.OutputB));
        var job = new MergeJob
        {
            OutputA = CpuOperand.Of(args.OutputA),
            OutputB = CpuOperand.Of(args.OutputB),
            Output = CpuOperand.Of(output),
            LseA = HeadRows(args.LseA, heads, tokens),
            LseB = HeadRows(args.LseB, heads, tokens),
            Lse = HeadRows(args.Lse, heads, tokens),
        };
        crew.Run(&MergeTokens, &job, tokens * heads * dim < MergeSharedFrom);
    }

    /// <summary>An f32 operand [heads, tokens].</summary>
    private static CpuOperand HeadRows(TensorView view, long heads, long tokens, [CallerArgumentExpression(nameof(view))] string? name = null)
    {
        if (view.IsAbsent || view.DType != DType.F32 || view.Rank != 2 || view.Dim(0) != heads || view.Dim(1) != tokens || view.Stride(1) != 1)
            throw new ArgumentException($"Expected F32[{heads}, {tokens}], found {view}.", name);
        return CpuOperand.Of(view, name);
    }

    private static void MergeTokens(CpuCrew crew, int worker, MergeJob* job)
    {
        long first = job->Output.Outer * worker / crew.ActiveThreads;
        long end = job->Output.Outer * (worker + 1) / crew.ActiveThreads;
        for (long t = first; t < end; t++)
        {
            for (int h = 0; h < job->Output.Inner; h++)
            {
                float a = Defined(job->LseA.Row(h)[t]), b = Defined(job->LseB.Row(h)[t]), max = MathF.Max(a, b);
                float* output = Head(job->Output, t, h);
                if (max == float.NegativeInfinity)
                {
                    new Span<float>(output, job->Output.Columns).Clear();
                    job->Lse.Row(h)[t] = max;
                    continue;
                }

                float weightA = Exp(a - max), weightB = Exp(b - max), sum = weightA + weightB;
                job->Lse.Row(h)[t] = max + MathF.Log(sum);
                Combine(Head(job->OutputA, t, h), weightA / sum, Head(job->OutputB, t, h), weightB / sum, output, job->Output.Columns);
            }
        }

        // Some flash kernels mark a row without keys by +∞.
        static float Defined(float lse) => float.IsPositiveInfinity(lse) ? float.NegativeInfinity : lse;
    }

    /// <summary>y = a · wa + b · wb. An operand of weight 0 is not read: what an empty part holds does not count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Combine(float* a, float weightA, float* b, float weightB, float* y, int count)
    {
        if (weightA == 0 || weightB == 0)
        {
            float* only = weightA == 0 ? b : a;
            new ReadOnlySpan<float>(only, count).CopyTo(new Span<float>(y, count));
            return;
        }

        TVector wa = TSimd.Create(weightA), wb = TSimd.Create(weightB);
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count)
            TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(a + i), wa, TSimd.Multiply(TSimd.Load(b + i), wb)), y + i);
        for (; i < count; i++) y[i] = (a[i] * weightA) + (b[i] * weightB);
    }

    private struct MergeJob
    {
        public CpuOperand OutputA;
        public CpuOperand OutputB;
        public CpuOperand Output;
        public CpuOperand LseA;
        public CpuOperand LseB;
        public CpuOperand Lse;
    }
}
