using Rocm.Inference;

await using var session = await InferenceSession.LoadAsync(args[0]);
GenerationResult result = await session.CompleteAsync("Gets or sets the", new GenerationOptions { MaxNewTokens = 8, Temperature = 0 });
Console.WriteLine($"device={session.Device.Kind}");
Console.WriteLine($"ids={string.Join(',', result.TokenIds)}");
Console.WriteLine($"text={result.Text}");
