namespace Rocm.Inference.Devices.Cpu.Simd;

/// <summary>
/// The vector operations that kernels are written in, once, for every width: kernels are generic over an implementation, which the JIT
/// specializes. Words are 32-bit patterns carried in a float vector; a word of a 16-bit panel holds element 2i in its low half and
/// element 2i + 1 in its high half. Operations on words are exact integer arithmetic.
/// </summary>
/// <typeparam name="TVector">A vector of floats.</typeparam>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Lanes of a vector.</summary>
    static abstract int Count { get; }

    /// <summary>Rows of the widest register tile: 8 where there are 32 registers, else 4.</summary>
    static abstract int TileRows { get; }

    static abstract string Name { get; }

    static abstract TVector Zero { get; }

    static abstract TVector Create(float value);

    static abstract TVector Load(float* source);

    static abstract void Store(TVector value, float* destination);

    /// <summary>Widens <see cref="Count"/> consecutive bf16.</summary>
    static abstract TVector LoadBf16(ushort* source);

    /// <summary>Widens <see cref="Count"/> consecutive f16.</summary>
    static abstract TVector LoadF16(ushort* source);

    /// <summary>The bf16 in the low halves of words.</summary>
    static abstract TVector LowBf16(TVector words);

    /// <summary>The bf16 in the high halves of words.</summary>
    static abstract TVector HighBf16(TVector words);

    /// <summary>The f16 in the low halves of words, exact for every value including subnormal and infinite ones.</summary>
    static abstract TVector LowF16(TVector words);

    /// <summary>The f16 in the high halves of words.</summary>
    static abstract TVector HighF16(TVector words);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    /// <summary>a · b + c; fused wherever the processor can.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    /// <summary>The larger one; when <paramref name="b"/> is NaN, NaN.</summary>
    static abstract TVector Max(TVector a, TVector b);

    /// <summary>The smaller one; when <paramref name="b"/> is NaN, NaN.</summary>
    static abstract TVector Min(TVector a, TVector b);

    static abstract TVector Abs(TVector a);

    /// <summary>The magnitude of <paramref name="magnitude"/> with the sign of <paramref name="sign"/>.</summary>
    static abstract TVector CopySign(TVector magnitude, TVector sign);

    /// <summary>Lanes where a &lt; b take <paramref name="ifLess"/>, others (NaN too) <paramref name="otherwise"/>.</summary>
    static abstract TVector SelectLess(TVector a, TVector b, TVector ifLess, TVector otherwise);

    /// <summary>2^n for whole n in [−126, 127].</summary>
    static abstract TVector PowerOfTwo(TVector n);

    /// <summary>The same word in every lane.</summary>
    static abstract TVector CreateWords(uint value);

    /// <summary><see cref="Count"/> bytes, each widened to a word.</summary>
    static abstract TVector LoadBytes(byte* source);

    /// <summary>The lowest byte of every word.</summary>
    static abstract void StoreBytes(TVector words, byte* destination);

    /// <summary>The lower halves of words.</summary>
    static abstract void StoreHalves(TVector words, ushort* destination);

    static abstract TVector And(TVector a, TVector b);

    static abstract TVector Or(TVector a, TVector b);

    static abstract TVector AddWords(TVector a, TVector b);

    static abstract TVector SubtractWords(TVector a, TVector b);

    static abstract TVector ShiftLeft(TVector words, int count);

    static abstract TVector ShiftRight(TVector words, int count);

    /// <summary>Fills with the highest bit.</summary>
    static abstract TVector ShiftRightSigned(TVector words, int count);

    /// <summary>The values of the 4-bit floats (<see cref="DType.F4E2M1"/>) in the lowest bits of words; higher bits are ignored.</summary>
    static abstract TVector WidenE2M1(TVector words);

    /// <summary>Lanes where a &lt; b as signed words take <paramref name="ifLess"/>, others <paramref name="otherwise"/>.</summary>
    static abstract TVector SelectLessWords(TVector a, TVector b, TVector ifLess, TVector otherwise);

    /// <summary>Half of <see cref="Count"/> floats, each in two neighbouring lanes.</summary>
    static abstract TVector LoadTwice(float* source);

    /// <summary>Lanes 2i and 2i + 1 change places.</summary>
    static abstract TVector SwapPairs(TVector a);

    static abstract float Sum(TVector a);

    static abstract float MaxAcross(TVector a);
}
