using Rocm.Inference.KvCache;

namespace Rocm.Inference.Scheduling;

/// <summary>Checks that requests, their tokens and their block tables fit together.</summary>
internal static class SchedulerIntegrity
{
    public static void Check(
        KvCacheManager cache, SchedulerOptions options, ReadOnlySpan<Request> running, ReadOnlySpan<Request> waiting, bool stepInFlight)
    {
        Require(running.Length <= options.MaxNumRequests, $"{running.Length} requests run, {options.MaxNumRequests} may.");
        for (int i = 0; i < running.Length; i++)
        {
            Request request = running[i];
            Require(i == 0 || running[i - 1].CompareTo(request) < 0, $"Running request {request.Id} is out of order.");
            Require(request.Status == RequestStatus.Running || request is { IsFinished: true, IsInFlight: true }, $"Running request {request.Id} is {request.Status}.");
            Require(request.Blocks.IsAdmitted, $"Running request {request.Id} owns nothing.");
            Require(stepInFlight || !request.IsInFlight, $"Request {request.Id} is in flight without a step.");
            Require(request.NumTokens < request.MaxTokens || request.IsFinished, $"Request {request.Id} has {request.NumTokens} tokens of {request.MaxTokens} and still runs.");
            Require(stepInFlight || request.NumUncomputedTokens > 0, $"Request {request.Id} has nothing to compute.");
            Require(request.NumComputedTokens <= request.NumTokens, $"Request {request.Id} has computed {request.NumComputedTokens} of {request.NumTokens} tokens.");
            foreach (KvCacheGroup group in cache.Groups) CheckTable(request, group, options.NumLookaheadTokens);
        }

        for (int i = 0; i < waiting.Length; i++)
        {
            Request request = waiting[i];
            Require(i == 0 || waiting[i - 1].CompareTo(request) > 0, $"Waiting request {request.Id} is out of order.");
            Require(request.Status is RequestStatus.Waiting or RequestStatus.Preempted, $"Waiting request {request.Id} is {request.Status}.");
            Require(request is { NumComputedTokens: 0, IsInFlight: false }, $"Waiting request {request.Id} has computed tokens.");
            Require(!request.Blocks.IsAdmitted, $"Waiting request {request.Id} owns blocks.");
        }
    }

    private static void CheckTable(Request request, KvCacheGroup group, int numLookaheadTokens)
    {
        ReadOnlySpan<int> table = request.Blocks.Table(group.Index);
        int least = group.NumBlocksFor(request.NumComputedTokens);
        int most = group.NumBlocksFor(request.NumComputedTokens + numLookaheadTokens);
        Require(
            table.Length >= least && table.Length <= most,
            $"Request {request.Id} has {table.Length} blocks in group {group.Index}, expected {least} to {most}.");
        for (int i = group.NumExpiredBlocks(request.NumComputedTokens); i < table.Length; i++)
        {
            Require(table[i] != BlockPool.NullBlock, $"Request {request.Id} lost block {i} of group {group.Index}, which its window still shows.");
        }
    }

    private static void Require(bool condition, string message)
    {
        if (!condition) throw new InvalidOperationException(message);
    }
}
