using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>
/// Routing of tokens to experts, a row at a time. Scores that are NaN rank last, so that whatever the logits, a token has K different experts.
/// </summary>
internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void RouteExperts(DeviceContext context, TensorView logits, TensorView choiceBias, MoeRouting routing, TensorView experts, TensorView weights)
    {
        CpuOperand input = CpuOperand.Of(logits), factors = CpuOperand.Of(weights);
        routing.Check();
        input.Expect(factors.Rows, routing.NumExperts);
        factors.Expect(input.Rows, routing.TopK);
        var job = new RouteJob
        {
            Logits = input,
            Experts = CpuOperand.Indices(experts, input.Rows * routing.TopK),
            Weights = factors,
            Scoring = routing.Scoring,
            GroupScore = routing.GroupScore,
            NumGroups = routing.TopKGroups < routing.NumGroups ? routing.NumGroups : 1,
            TopKGroups = routing.TopKGroups,
            Normalizes = routing.Normalizes,
            ScalingFactor = routing.ScalingFactor,
        };
        if (!choiceBias.IsAbsent)
        {
            CpuOperand bias = CpuOperand.Of(choiceBias);
            bias.Expect(1, routing.NumExperts);
            job.ChoiceBias = bias.Address;
        }

        using Lock.Scope turn = crew.Enter();
        crew.ReserveScratch(RouteScratch.SizeBytes(routing.NumExperts, routing.NumGroups, routing.TopK));

        // An exponential and a few comparisons an expert: dearer than an element of other ops.
        crew.Run(&RouteRows, &job, IsSmall(input.Rows, 8L * input.Columns));
    }

    private static void RouteRows(CpuCrew crew, int worker, RouteJob* job)
    {
        (long first, long end) = Share(crew, worker, job->Logits.Rows);
        int numExperts = job->Logits.Columns, topK = job->Weights.Columns;
        var scratch = new RouteScratch(crew.Scratch(worker), numExperts, job->NumGroups);
        for (long t = first; t < end; t++) RouteRow(job, job->Logits.Row(t), scratch, job->Experts + (t * topK), job->Weights.Row(t));
    }

    private static void RouteRow(RouteJob* job, float* logits, in RouteScratch scratch, int* experts, float* weights)
    {
        int numExperts = job->Logits.Columns, topK = job->Weights.Columns;
        float* scores = logits;
        if (job->Scoring != MoeScoring.SoftmaxOfChosen)
        {
            scores = scratch.Scores;
            if (job->Scoring == MoeScoring.Softmax) Softmax(logits, scores, numExperts);
            else Sigmoids(logits, scores, numExperts);
        }

        float* keys = scores;
        if (job->ChoiceBias != null)
        {
            keys = scratch.Keys;
            for (int e = 0; e < numExperts; e++) keys[e] = scores[e] + job->ChoiceBias[e];
        }

        Choose(job, keys, scratch, experts, topK);
        for (int k = 0; k < topK; k++) weights[k] = scores[experts[k]];
        if (job->Scoring == MoeScoring.SoftmaxOfChosen) Softmax(weights, weights, topK);
        float factor = job->ScalingFactor;
        if (job->Normalizes)
        {
            float sum = 0;
            for (int k = 0; k < topK; k++) sum += weights[k];
            if (job->Scoring == MoeScoring.Sigmoid) sum += 1e-20f;
            for (int k = 0; k < topK; k++) weights[k] = weights[k] / sum * factor;
        }
        else if (factor != 1)
        {
            for (int k = 0; k < topK; k++) weights[k] *= factor;
        }
    }

    private static void Choose(RouteJob* job, float* keys, in RouteScratch scratch, int* experts, int topK)
    {
        int numExperts = job->Logits.Columns;
        var chosen = new Ranking(experts, scratch.ChosenKeys, topK);
        if (job->NumGroups == 1)
        {
            for (int e = 0; e < numExperts; e++) chosen.Offer(keys[e], e);
            return;
        }

        int size = numExperts / job->NumGroups;
        var groups = new Ranking(scratch.Groups, scratch.GroupKeys, job->TopKGroups);
        for (int g = 0; g < job->NumGroups; g++) groups.Offer(GroupKey(keys + (g * size), size, job->GroupScore), g);

        // Experts are offered by rising index, so that of equal ones the lower index wins.
        new Span<int>(scratch.Groups, job->TopKGroups).Sort();
        for (int i = 0; i < job->TopKGroups; i++)
        {
            int first = scratch.Groups[i] * size;
            for (int e = first; e < first + size; e++) chosen.Offer(keys[e], e);
        }
    }

    private static float GroupKey(float* keys, int size, MoeGroupScore score)
    {
        float best = float.NegativeInfinity, second = float.NegativeInfinity;
        for (int i = 0; i < size; i++)
        {
            if (keys[i] > best)
            {
                second = best;
                best = keys[i];
            }
            else if (keys[i] > second)
            {
                second = keys[i];
            }
        }

        return score == MoeGroupScore.Best || size == 1 ? best : best + second;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softmax(float* x, float* y, int count)
    {
        // A NaN must reach the result: Max returns it only from its second operand.
        float max = x[0];
        for (int i = 1; i < count; i++) max = float.IsNaN(max) || max >= x[i] ? max : x[i];
        TVector offset = TSimd.Create(max);
        TVector sums = TSimd.Zero;
        int vectors = count / TSimd.Count * TSimd.Count;
        for (int i = 0; i < vectors; i += TSimd.Count)
        {
            TVector e = VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Load(x + i), offset));
            TSimd.Store(e, y + i);
            sums = TSimd.Add(sums, e);
        }

        float sum = TSimd.Sum(sums);
        if (vectors < count)
        {
            StoreTail(VectorMath.Exp<TSimd, TVector>(TSimd.Subtract(LoadTail(x + vectors, count - vectors), offset)), y + vectors, count - vectors);
            for (int i = vectors; i < count; i++) sum += y[i];
        }

        for (int i = 0; i < count; i++) y[i] /= sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sigmoids(float* x, float* y, int count)
    {
        int i = 0;
        for (; i + TSimd.Count <= count; i += TSimd.Count) TSimd.Store(Sigmoid(TSimd.Load(x + i)), y + i);
        if (i < count) StoreTail(Sigmoid(LoadTail(x + i, count - i)), y + i, count - i);
    }

    private struct RouteJob
    {
        public CpuOperand Logits;
        public float* ChoiceBias;
        public int* Experts;
        public CpuOperand Weights;
        public MoeScoring Scoring;
        public MoeGroupScore GroupScore;
        public int NumGroups;
        public int TopKGroups;
        public bool Normalizes;
        public float ScalingFactor;
    }
}
