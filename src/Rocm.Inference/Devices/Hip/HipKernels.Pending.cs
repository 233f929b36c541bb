namespace Rocm.Inference.Devices.Hip;

internal sealed partial class HipKernels
{
    public void Embedding(DeviceContext context, TensorView ids, PackedWeight table, float scale, TensorView y) => throw new NotSupportedException();

    public void Linear(DeviceContext context, TensorView x, PackedWeight weight, TensorView y, bool accumulate = false) => throw new NotSupportedException();

    public void Add(DeviceContext context, TensorView x, TensorView y) => throw new NotSupportedException();

    public void GatedActivation(DeviceContext context, TensorView gateUp, ActivationKind kind, TensorView y, float limit = 0) => throw new NotSupportedException();

    public void SoftCap(DeviceContext context, TensorView x, float cap) => throw new NotSupportedException();

    public void Scale(DeviceContext context, TensorView x, float scale) => throw new NotSupportedException();

    public void GatherRows(DeviceContext context, TensorView x, TensorView rows, TensorView y) => throw new NotSupportedException();

    public void LinearPerHead(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView y) => throw new NotSupportedException();

    public void RouteExperts(DeviceContext context, TensorView logits, TensorView choiceBias, MoeRouting routing, TensorView experts, TensorView weights) => throw new NotSupportedException();

    public void SortByExpert(DeviceContext context, TensorView experts, TensorView offsets, TensorView order, TensorView places) => throw new NotSupportedException();

    public void GroupedLinear(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView offsets, TensorView order, int topK, TensorView y) => throw new NotSupportedException();

    public void CombineExperts(DeviceContext context, TensorView x, TensorView places, TensorView weights, TensorView y, bool accumulate) => throw new NotSupportedException();

    public void GateRows(DeviceContext context, TensorView gate, TensorView x) => throw new NotSupportedException();
}
