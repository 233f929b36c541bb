namespace Rocm.Inference.Devices.Cpu;

internal sealed unsafe partial class CpuKernels<TSimd, TVector>
{
    public void LinearPerHead(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView y) => throw new NotImplementedException();

    public void RouteExperts(DeviceContext context, TensorView logits, TensorView choiceBias, MoeRouting routing, TensorView experts, TensorView weights) => throw new NotImplementedException();

    public void SortByExpert(DeviceContext context, TensorView experts, TensorView offsets, TensorView order, TensorView places) => throw new NotImplementedException();

    public void GroupedLinear(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView offsets, TensorView order, int topK, TensorView y) => throw new NotImplementedException();

    public void CombineExperts(DeviceContext context, TensorView x, TensorView places, TensorView weights, TensorView y, bool accumulate) => throw new NotImplementedException();

    public void GateRows(DeviceContext context, TensorView gate, TensorView x) => throw new NotImplementedException();
}
