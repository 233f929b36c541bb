"""Texts for the tokenizer goldens: the training mix and the tricky strings that are compared."""

import builtins
import inspect
import unicodedata

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, and then it doesn't jump any more.",
    "She said: \"I'll be there at 10:45, won't I?\" They've never been so sure; we'd better hurry.",
    "In 2024 the price rose from 1,299.95 to 1,450.00 dollars, about 11.5 percent more than before.",
    "A tokenizer splits text into pieces, maps the pieces to numbers and joins the numbers back into text.",
    "The model reads the prompt once, writes one token after another and stops at the end of the sentence.",
    "Reading the same words again and again teaches the merges which letters belong together.",
    "Die Kinder spielen im Garten, während die Großmutter über die schöne Straße läuft und Äpfel kauft.",
    "Le garçon a mangé une crème brûlée à l'hôtel près de la forêt; c'était déjà l'été, n'est-ce pas?",
    "El niño pequeño comió una manzana mañana por la mañana en el jardín de la señora Muñoz.",
    "A menina não comeu o pão porque a avó já tinha posto a mesa para a refeição de amanhã.",
    "Il ragazzo perché è già così felice? Perché può andare in città con la sua bicicletta.",
    "Zażółć gęślą jaźń, powiedział żołnierz i poszedł dalej przez łąkę w stronę rzeki.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy v noci na kraji širokého pole.",
    "Быстрая коричневая лиса прыгает через ленивую собаку, а потом идёт домой по длинной дороге.",
    "Мы читаем книгу, которая рассказывает о словах и буквах, и пишем новые слова.",
    "Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί και μετά πηγαίνει στο σπίτι της.",
    "השועל החום המהיר קופץ מעל הכלב העצלן ואחר כך הולך הביתה.",
    "الثعلب البني السريع يقفز فوق الكلب الكسول ثم يذهب إلى البيت في المساء.",
    "तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है और फिर घर जाती है। हिन्दी में लिखना अच्छा है।",
    "দ্রুত বাদামী শিয়াল অলস কুকুরের উপর লাফ দেয় এবং বাড়ি যায়।",
    "สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจแล้วกลับบ้านในตอนเย็น",
    "快速的棕色狐狸跳过懒狗，然后在晚上回家。我们学习中文，你们学习英文。",
    "人工智能模型把文字分成小块，再把小块变成数字。这是一个很小的例子。",
    "素早い茶色の狐はのろまな犬を飛び越えて、それから家に帰ります。これはテストです。",
    "カタカナとひらがなと漢字をまぜて書くことができます。",
    "빠른 갈색 여우가 게으른 개를 뛰어넘고 저녁에 집으로 돌아갑니다. 한국어 문장입니다.",
    "Con cáo nâu nhanh nhẹn nhảy qua con chó lười biếng rồi về nhà vào buổi tối.",
    "Hızlı kahverengi tilki tembel köpeğin üstünden atlar ve İstanbul'a gider.",
    "Fun with emoji 😀😃😄 and hearts ❤️ and flags 🇩🇪🇫🇷 and families 👨‍👩‍👧‍👦 and thumbs 👍🏽👍.",
    "Formula: x² + y² ≤ r², ∑ aᵢ·bᵢ ≈ ∫ f(x) dx, 5 × 3 = 15, α → β, ½ of €20 is £8 or so.",
    "IT'S ALL CAPS TODAY AND WE'RE STILL HERE; DON'T SHOUT, THEY'VE HEARD YOU.",
]

CODE = [
    "def add(a, b):\n    \"\"\"Adds two numbers.\"\"\"\n    if a is None:\n        return b\n    return a + b\n\n\n",
    "for (int i = 0; i < count; i++)\n{\n\tif (values[i] == null)\n\t{\n\t\tcontinue;\n\t}\n\ttotal += values[i].Length;\n}\n",
    "public sealed class Reader : IDisposable\r\n{\r\n    private readonly Stream _stream;\r\n\r\n    public void Dispose() => _stream.Dispose();\r\n}\r\n",
    "<html>\n  <body>\n    <p class=\"note\">Hello, world!</p>\n  </body>\n</html>\n",
    "SELECT name, COUNT(*) FROM users WHERE age >= 18 AND city != 'Paris' GROUP BY name;\n",
    "{\"name\": \"value\", \"numbers\": [1, 22, 333, 4444], \"nested\": {\"key\": null}}\n",
    "curl -sS https://example.org/api/v1/items?id=42&sort=asc | jq '.items[] | .name'\n",
]


def training_lines():
    """The training mix: sentences and code above, documentation of Python's builtins, character names."""
    lines = []
    for _ in range(6):
        lines += SENTENCES
        lines += CODE
    for name in sorted(vars(builtins)):
        doc = inspect.getdoc(getattr(builtins, name))
        if doc:
            lines += [line for line in doc.splitlines(keepends=True) if line.strip()]
    for code in list(range(0x00C0, 0x0180)) + list(range(0x0391, 0x03CA)) + list(range(0x0410, 0x0450)):
        lines.append(f"{chr(code)} {unicodedata.name(chr(code), '').lower()}")
    return lines


# Ends of other families' control tokens, so that every tokenizer sees its own and foreign specials in text.
SPECIALS_IN_TEXT = [
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi there<|eot_id|>",
    "<s>[INST] What is 2+2? [/INST] 4</s>",
    "<s> </s><unk> <s></s>",
    "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    "<|user|>\nHow are you?<|end|>\n<|assistant|>\n  Fine<|end|>",
    "<|user|>   \n\t padded   <|end|>   <|endoftext|>  x",
    "<｜begin▁of▁sentence｜><｜User｜>你好<｜Assistant｜>再见<｜end▁of▁sentence｜>",
    "<|start|>assistant<|channel|>analysis<|message|>Thinking...<|end|><|return|>",
    "<think>\nhmm\n</think>\n\n<tool_call>{\"name\": \"f\"}</tool_call>",
    "<|endoftext|>", "a<|endoftext|>b", "<|endoftext|><|endoftext|>", "  <|endoftext|>  ",
    "<|im", "<|im|>", "<|im|>start<|im_start", "<|im_start|", "<|im_start|><|im|><|im_end|>", "<<|im_start|>>",
    "<0x41><0xE2><0x96><0x81>", "x<0x0A>y", "<unk>", "word<pad>word <mask> word",
]

TRICKY = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n\n", "\t", "\r\n", "\r", "\r\n\r\n", " \n \n ", "\t\t\tx",
    "Hello", " Hello", "Hello ", "  Hello  ", "Hello world", "Hello, world!", "hello\nworld", "hello \n world",
    "The quick brown fox jumps over the lazy dog.",
    "I'm you're he's we've they'll she'd don't", "I'M YOU'RE HE'S WE'VE THEY'LL SHE'D DON'T",
    "it'S 'Tis 'twas o'clock ''quoted'' 'sS", "don’t can’t ‘curly’ “quotes”", "ſ's 'ſ K'M \u212a'\u017f",
    "1", "12", "123", "1234", "12345678901234567890", "3.14159", "1,234,567.89", "a1b22c333d4444", "٣٤٥ ४५६ １２３ ²³½ Ⅷ ௧௨௩",
    "x = 10 if y else 20  # comment", "def f(x):\n\treturn x ** 2\n\n\nprint(f(3))\n", "    indented\n        more\n\tt\n",
    "for (int i=0;i<10;++i){\r\n\tConsole.WriteLine($\"{i}\");\r\n}", "a  b   c    d     e", "a\n\nb\n\n\nc", "a \n b", "trailing spaces   \nnext",
    "line1\r\nline2\rline3\nline4\n\rline5", "https://example.org/a/b?c=d&e=f#g", "user@example.org", "!!!???...", "=> != == <= >= && || -> :: ++ --",
    "//////\n//\n", "path/to/file.txt:12", "C:\\Users\\name", "snake_case camelCase PascalCase SCREAMING_CASE kebab-case", "___", "_a_ __b__", "▁", "▁▁ ▁x", " ▁ ", "x▁y z",
    "café", "cafe\u0301", "naïve résumé", "nai\u0308ve re\u0301sume\u0301", "\u0301", "a\u0301\u0302\u0303b", "Å \u212b A\u030a", "ﬁ ﬂ ﬃ", "o\u0308\u0323 o\u0323\u0308",
    "İstanbul ı i̇", "ß ẞ SS", "Straße", "ΣΑΣ σας", "ǅ ǆ Ǆ ʰʷ", "Привет, мир!", "й и\u0306", "Γειά σου Κόσμε", "שלום עולם", "שָׁלוֹם", "مرحبا بالعالم", "السَّلَامُ", "لا إله", "می‌خواهم",
    "नमस्ते दुनिया", "हिन्दी क्षत्रिय", "বাংলা ভাষা", "தமிழ் மொழி", "สวัสดีชาวโลก", "น้ำ", "ខ្មែរ", "བོད་ཡིག",
    "你好，世界！", "快速的棕色狐狸", "漢字かなカナ交じり文。", "ｶﾀｶﾅ ﾊﾝｶｸ Ｆｕｌｌ", "が か\u3099", "안녕하세요 세계", "\u1112\u1161\u11ab 한", "하", "中文english混合123数字", "々〆〇ー・",
    "😀", "😀😃😄", "👨‍👩‍👧‍👦", "👍🏽 👍🏿", "❤️ ❤", "🇩🇪🇫🇷🇯", "🏳️‍🌈🏴‍☠️", "1️⃣ #️⃣", "text😀text", " 😀 ", "🧑🏽‍🚀x", "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "a𠀀b", "𝐀𝐁", "𝒽ello 𝟙𝟚𝟛", "𐍈𐌰", "𞤀𞤣", "𓀀", "🀀🂡", "\U0010ffff", "\U000e0001x",
    "\u00a0", "a\u00a0b", "\u2003x\u2003", "\u3000全角\u3000", "a\u0085b", "\u2028\u2029", "\u1680 \u180e \u200b\u200c\u200d\u2060", "\x0b\x0c\x1c\x1d\x1e\x1f", " \u00a0 \u3000 ", "x \u2003\n y", "\u202eabc\u202c",
    "\x00", "a\x00b", "\x00\x00\x00", "\x01\x02\x7f\x80\x9f", "\ufffd", "a\ufffd\ufffdb", "\ufeff", "\ufeffHello", "\ufffe\uffff", "\ufdd0", "\ue000\uf8ff", "Ã©â‚¬", "Ġhello Ċ ĉ", "â ĠĠ ł",
    "a" * 300, "ab" * 200, " " * 7, " " * 64 + "x", "\n" * 40, "\t" * 17, "1" * 50, "!" * 33, "😀" * 40, "の" * 60, "é" * 45, "e\u0301" * 45, "-" * 81, "= " * 40, "\r\n" * 12,
    "Antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis", "supercalifragilistic" * 4,
    "  leading and   multiple    spaces     inside and trailing      ", "mixed\t \ttabs \t and  spaces\n  \n\t\n",
    "abcABCabc123ABC456abc's", "HTTPServerError404NotFound", "iPhone15Pro's 5G/LTE", "Dr. Smith's 3rd-best co-op", "e.g. i.e. U.S.A.",
    "The model reads the prompt once.\n\n1. First\n2. Second\n   - nested\n\n```python\nprint('hi')\n```\n",
]


def case_texts():
    texts = TRICKY + SPECIALS_IN_TEXT
    assert len(set(texts)) == len(texts), [t for t in texts if texts.count(t) > 1]
    return texts
