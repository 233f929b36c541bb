using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>Assignments of tokens to experts, sorted on the device.</summary>
internal sealed class MoeTensors
{
    private MoeTensors(TensorView offsets, TensorView order, TensorView places, DeviceContext context)
    {
        (OffsetsView, OrderView, PlacesView) = (offsets, order, places);
        (Offsets, Order, Places) = (Read(offsets), Read(order), Read(places));
        int[] Read(TensorView view)
        {
            var values = new int[view.Count];
            context.Download(view, values.AsSpan());
            return values;
        }
    }

    public TensorView OffsetsView { get; }

    public TensorView OrderView { get; }

    public TensorView PlacesView { get; }

    public int[] Offsets { get; }

    public int[] Order { get; }

    public int[] Places { get; }

    public static MoeTensors Sort(PoisonedTensors tensors, int[] experts, int tokens, int topK, int numExperts)
    {
        int count = tokens * topK;
        TensorView offsets = tensors.Poison(DType.I32, numExperts + 1), order = tensors.Poison(DType.I32, count), places = tensors.Poison(DType.I32, count);
        tensors.Device.Kernels.SortByExpert(tensors.Context, tensors.I32(experts, tokens, topK), offsets, order, places);
        return new MoeTensors(offsets, order, places, tensors.Context);
    }
}
