namespace Rocm.Inference.Devices.Hip;

internal sealed partial class HipKernels
{
    public void RouteExperts(DeviceContext context, TensorView logits, TensorView choiceBias, MoeRouting routing, TensorView experts, TensorView weights) => throw new NotSupportedException();

    public void SortByExpert(DeviceContext context, TensorView experts, TensorView offsets, TensorView order, TensorView places) => throw new NotSupportedException();

    public void CombineExperts(DeviceContext context, TensorView x, TensorView places, TensorView weights, TensorView y, bool accumulate) => throw new NotSupportedException();

}
