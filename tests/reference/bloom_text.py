"""The tokenizer of the BLOOM golden cases and the documents they score, both written out here."""

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

VOCABULARY = 320
SPECIAL_TOKENS = ["<unk>", "<s>", "</s>", "<pad>"]

# What the tokenizer is trained on: two sentences in each of six scripts.
TRAINING_SENTENCES = [
    "The river rose in the night, and in the morning the bridge was gone.",
    "The children then walked along the other bank until they found the boat.",
    "Река поднялась ночью, а утром моста уже не было.",
    "Дети пошли вдоль другого берега, пока не нашли лодку.",
    "ارتفع النهر في الليل، وفي الصباح كان الجسر قد اختفى.",
    "سار الأطفال على الضفة الأخرى حتى وجدوا القارب.",
    "रात में नदी का पानी बढ़ गया, और सुबह पुल वहाँ नहीं था।",
    "बच्चे दूसरे किनारे पर चलते रहे जब तक उन्हें नाव नहीं मिली।",
    "夜里河水上涨，早晨桥已经不见了。",
    "孩子们沿着对岸走，直到找到那条小船。",
    "הנהר עלה בלילה, ובבוקר הגשר כבר לא היה.",
    "הילדים הלכו לאורך הגדה השנייה עד שמצאו את הסירה.",
]

ENGLISH = (
    "In the winter the old ferry stayed by the stone wall, and nobody on either bank thought of the far shore "
    "until the ice had gone."
)
RUSSIAN = (
    "Когда лёд сошёл, паромщик снова вышел на берег; он долго смотрел на воду, потом позвал брата, и вдвоём они "
    "спустили лодку. На другой стороне их уже ждали."
)
# Short texts in several scripts, half of which the tokenizer has never seen.
SCRIPTS = [
    "عند المساء أوقدوا نارا صغيرة، ثم ناموا.",
    "शाम को उन्होंने आग जलाई।",
    "傍晚他们生了火，然后就睡了。",
    "בערב הם הדליקו מדורה קטנה.",
    "夕方、小さな火をおこした。",
    "Đường  phố 🙂 (cũ|mới)!",
]


def train_tokenizer(special_tokens=SPECIAL_TOKENS):
    """A byte-level BPE in BLOOM's form: no normalizer, BLOOM's split pattern, bytes as the alphabet."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r" ?[^(\s|[.,!?…。，、।۔،])]+"), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_SENTENCES, trainer)
    assert tokenizer.get_vocab_size() == VOCABULARY
    assert [tokenizer.token_to_id(token) for token in special_tokens] == [0, 1, 2, 3]
    return tokenizer


def byte_values():
    """GPT-2's map of printable characters to bytes, in which a byte-level vocabulary is written."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


BYTE_VALUES = byte_values()


def token_bytes(tokenizer, token_id):
    """The bytes a token stands for, which need not be whole characters."""
    return bytes(BYTE_VALUES[character] for character in tokenizer.id_to_token(token_id))


def scored_extent(tokenizer, text, token_ids, first=1, newline=None):
    """UTF-8 bytes and characters behind the tokens from `first` on; a character belongs to the token with its first byte.

    `newline` is the token that stands for a line break, if one does.
    """
    pieces = [b"\n" if token_id == newline else token_bytes(tokenizer, token_id) for token_id in token_ids]
    assert b"".join(pieces) == text.encode()
    rest = b"".join(pieces[first:])
    continuation = sum(1 for byte in rest if byte & 0xC0 == 0x80)
    return len(rest), len(rest) - continuation


def prefix_of_length(tokenizer, text, tokens):
    """The shortest prefix of the text that has this many tokens."""
    prefixes = (text[:end] for end in range(1, len(text) + 1))
    return next(prefix for prefix in prefixes if len(tokenizer.encode(prefix).ids) == tokens)


def edges(tokenizer, lengths):
    """The shortest texts, and texts of these lengths in tokens."""
    texts = ["a", "ß", "a."] + [prefix_of_length(tokenizer, ENGLISH, n) for n in lengths]
    assert [len(tokenizer.encode(text).ids) for text in texts] == [1, 2, 2, *lengths]
    return texts


def documents(tokenizer, window, stride, before=0):
    """What is scored: edge lengths around the windows, then several scripts, then a text of many windows.

    `before` is how many tokens the model reads before those of the text.
    """
    lengths = [n - before for n in (window, window + 1, window + stride)]
    return edges(tokenizer, lengths) + SCRIPTS + [RUSSIAN]
