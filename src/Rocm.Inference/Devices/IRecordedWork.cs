namespace Rocm.Inference.Devices;

/// <summary>Work of a context that a device has recorded, see <see cref="DeviceContext.Record"/>. Dispose it before the context.</summary>
internal interface IRecordedWork : IDisposable;
