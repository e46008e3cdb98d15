"""Writes the tokenizer goldens: small trained tokenizers of each published kind and what `transformers` makes of texts.

    python make_tokenizers.py [OUT] [--udhr FOLDER]      OUT is ../golden beside this script unless given

OUT/tokenizers/<name>/ holds the tokenizer file as a family publishes it and expected.json: per line of the demo corpus a
digest of the ids and one of the extents, and both in full for the texts of OUT/tokenizers/texts.json. With a folder of
UDHR texts (<language>.txt, a unit per line) OUT/tokenizers/udhr.json gets digests per language and no text.

An extent is how many bytes and characters of the text a token stands for: the bytes of a byte-level token where the
tokens spell the text, else from the end of the token before it to the end that `transformers` gives as its offset.
"""

import argparse
import hashlib
import io
import json
import re
import struct
import tempfile
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    GemmaTokenizer,
    GPT2Tokenizer,
    GPTNeoXTokenizer,
    LlamaTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Tokenizer,
    T5Tokenizer,
    XGLMTokenizer,
)
from transformers.convert_slow_tokenizer import XGLMConverter
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX as QWEN_WORDS

from bloom_text import BYTE_VALUES

DEMO = Path(__file__).parent / "../../coordinator/demo"
# Languages whose characters the Llama and Gemma models know; the others fall back to bytes.
KNOWN_LANGUAGES = ["deu", "eng", "fin", "fra", "heb", "rus", "tur"]
LLAMA3_WORDS = QWEN_WORDS.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
XGLM_NEWLINE = 2
SEPARATOR = 0xFFFFFFFF  # ends a line in the digest of a language

TEXTS = [
    "", " ", "     ", " before", "after ", "two  and   three    spaces", "\t", "a\tb", "\n", "\n\n", "a\nb\n\nc\n", "a\r\nb\r",
    " \n a \n ", "no\u00a0break", "\u3000全角\u3000\u3000空白\u3000", "thin\u2009space\u2028line\u2029paragraph\u0085next",
    "cafe\u0301 A\u030a o\u0302\u0323 \u212b \u2126", "\u0958 \u0915\u093c \u0915\u094d\u0937\u093f", "\u0301x", "\u0301",
    "e" + "\u0301" * 40, "\u1112\u1161\u11ab\u1100\u116e\u11a8 한국", "ﬁ ﬂ ① ½ ™ ㎏ Ⅻ", "ｆｕｌｌ　ｗｉｄｔｈ ｶﾅ",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇮 👍🏽", "🙂🙂", "𝔘𝔫𝔦 𐍈𐌰 ᚠᛇᚻ", "known ᚠ then ᚠᛇ known", "\U0010ffff \ufffd \ue000",
    "a" * 300, "ß" * 150, "語" * 100, "\ufeffmark", "mid\ufeffdle", "\u0000", "a\u0000b", "\u0001control\u0002\u007f", "\u0001\u0007",
    "\u0001é", "™\u001eg", "zero\u200bwidth soft\u00adhyphen \u200fעברית\u200e", "I'll don't WE'VE l’été", "12345 ١٢٣ १२३ 3.14 1,000",
    "ราคา ๑๒๓ บาท", "$<>[]{}|\\~`^_", "<unk> <s> </s> <pad>", "a</s>b", "a </s> b", "<extra_id_0> a <extra_id_1>b<extra_id_99>",
    "▁", "▁▁ a ▁b", "▁<extra_id_0>", "<|endoftext|>", "a<|endoftext|> b", "<|begin_of_text|><bos>", "<madeupword3>x",
    "<0x41> <0x0A>", "    indented\n        more", "x" + " " * 30 + "y",
]  # fmt: skip


def corpus(folder, languages=None):
    """The lines of each <language>.txt in the folder."""
    files = (file for file in sorted(folder.glob("*.txt")) if re.fullmatch("[a-z]{3}", file.stem))
    texts = {file.stem: file.read_text("utf-8").split("\n") for file in files}
    return {name: [line for line in lines if line] for name, lines in texts.items() if not languages or name in languages}


def demo_lines(languages=None):
    return [line for lines in corpus(DEMO / "corpus", languages).values() for line in lines]


def byte_level(words, special, normalizer=None):
    """A trained byte-level BPE with this pre-tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(demo_lines(), trainer)
    return tokenizer


def split_words(pattern):
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def publish(tokenizer, folder, tokenizer_class, **settings):
    """Saves tokenizer.json and reads it with the family's class."""
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return tokenizer_class.from_pretrained(folder, **settings)


def make_gpt2(folder):
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return publish(byte_level(words, ["<|endoftext|>"]), folder, GPT2Tokenizer)


def make_pythia(folder):
    """GPT-NeoX's form: NFC, and added tokens for runs of spaces."""
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = byte_level(words, ["<|endoftext|>", "<|padding|>"], normalizers.NFC())
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True, special=False) for n in (24, 8, 4, 2)])
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))


def make_pythia_class(folder):
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = byte_level(words, ["<|endoftext|>", "<|padding|>"], normalizers.NFC())
    return publish(tokenizer, folder, GPTNeoXTokenizer)


def make_llama3(folder):
    tokenizer = byte_level(split_words(LLAMA3_WORDS), [])
    tokenizer.model.ignore_merges = True
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>"])
    return publish(tokenizer, folder, PreTrainedTokenizerFast)


def make_qwen(folder):
    tokenizer = byte_level(split_words(QWEN_WORDS), [], normalizers.NFC())
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>"])
    return publish(tokenizer, folder, Qwen2Tokenizer)


def make_bloom(_folder):
    """The demo's own tokenizer, which is not written again."""
    return PreTrainedTokenizerFast(tokenizer_file=str(DEMO / "model/tokenizer.json"))


def sentencepiece_model(languages=None, **settings):
    """A trained SentencePiece model, as its protobuf message."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(demo_lines(languages)), model_writer=written, num_threads=1, minloglevel=2, **settings
    )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(written.getvalue())
    model.trainer_spec.ClearField("input")
    return model


def byte_fallback_bpe(**settings):
    return sentencepiece_model(
        KNOWN_LANGUAGES,
        model_type="bpe",
        vocab_size=900,
        character_coverage=0.995,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        **settings,
    )


def converted(folder, model, tokenizer_class):
    """The tokenizer.json that the family's class makes of a SentencePiece model."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "tokenizer.model").write_bytes(model.SerializeToString())
        tokenizer = tokenizer_class.from_pretrained(scratch)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return tokenizer


def make_llama_metaspace(folder):
    return converted(folder, byte_fallback_bpe(), LlamaTokenizer)


def make_llama2(folder):
    """The form in which Llama 1 and 2 publish theirs: spaces are marked by a normalizer, and no pre-tokenizer."""
    tokenizer = Tokenizer.from_str(converted(folder, byte_fallback_bpe(), LlamaTokenizer).backend_tokenizer.to_str())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = None
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    return PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))


def make_gemma(folder):
    model = byte_fallback_bpe(
        add_dummy_prefix=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>"
    )
    return converted(folder, model, GemmaTokenizer)


def make_mt5(folder):
    """mT5's form: the model has the sentinels as its last pieces, each with the mark of a word's start."""
    sentinels = [f"▁<extra_id_{n}>" for n in reversed(range(100))]
    model = sentencepiece_model(
        vocab_size=1500,
        character_coverage=0.99,
        normalization_rule_name="nmt_nfkc",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        user_defined_symbols=sentinels,
    )
    pieces = sorted(model.pieces, key=lambda piece: piece.piece in sentinels)
    del model.pieces[:]
    model.pieces.extend(pieces)
    (folder / "spiece.model").write_bytes(model.SerializeToString())
    return T5Tokenizer.from_pretrained(folder, extra_ids=0)


def small_t5(**settings):
    """T5's form without sentinels. The normaliser has a few rules only, to keep the file small."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write("9\t20\nA\t20\nA0\t20\n202F\t20\n3000\t20\n2122\t54 4D\n")
        rules.flush()
        model = sentencepiece_model(
            KNOWN_LANGUAGES,
            character_coverage=0.99,
            normalization_rule_tsv=rules.name,
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            **settings,
        )
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    return model


def make_t5(folder):
    """The class puts the sentinels after the vocabulary."""
    (folder / "spiece.model").write_bytes(small_t5(vocab_size=600).SerializeToString())
    return T5Tokenizer.from_pretrained(folder)


def make_xglm(folder):
    """XGLM's form. Its class reads no model file, so the pieces go through the converter, which numbers them as fairseq does,
    and through a tokenizer.json."""
    model = sentencepiece_model(vocab_size=1500, character_coverage=0.99, normalization_rule_name="nmt_nfkc")
    (folder / "sentencepiece.bpe.model").write_bytes(model.SerializeToString())
    converter = object.__new__(XGLMConverter)
    pieces = Tokenizer(models.Unigram(converter.vocab(model), unk_id=converter.unk_id(model), byte_fallback=False))
    pieces.normalizer = normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap)
    with tempfile.TemporaryDirectory() as scratch:
        return publish(pieces, Path(scratch), XGLMTokenizer)


class SentencePieceReference:
    """The ids of SentencePiece itself, for what `transformers` leaves out: a unigram model with byte fallback."""

    def __init__(self, file):
        self.model = sentencepiece.SentencePieceProcessor(model_file=str(file))

    def encode(self, text):
        return self.model.encode(text), None


def make_byte_fallback(folder):
    (folder / "spiece.model").write_bytes(small_t5(vocab_size=700, byte_fallback=True).SerializeToString())
    return SentencePieceReference(folder / "spiece.model")


KINDS = {
    "bloom": make_bloom,
    "gpt2": make_gpt2,
    "pythia": make_pythia,
    "gpt_neox": make_pythia_class,
    "llama3": make_llama3,
    "qwen": make_qwen,
    "llama2": make_llama2,
    "llama_metaspace": make_llama_metaspace,
    "gemma": make_gemma,
    "mt5": make_mt5,
    "t5": make_t5,
    "t5_byte_fallback": make_byte_fallback,
    "xglm": make_xglm,
}


def encode(tokenizer, text):
    """The ids without special tokens, and the end of each token as an offset in characters (None where there are none)."""
    if isinstance(tokenizer, SentencePieceReference):
        return tokenizer.encode(text)
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return encoding["input_ids"], [end for _, end in encoding["offset_mapping"]]


def spelled_bytes(tokenizer, ids):
    """The bytes of each token of a byte-level vocabulary, or None."""
    added = tokenizer.added_tokens_decoder
    pieces = [added[id].content if id in added else tokenizer.convert_ids_to_tokens(id) for id in ids]
    if any(id not in added and not set(piece) <= BYTE_VALUES.keys() for id, piece in zip(ids, pieces)):
        return None
    return [
        piece.encode() if id in added else bytes(BYTE_VALUES[character] for character in piece)
        for id, piece in zip(ids, pieces)
    ]


def extents(tokenizer, text, ids, ends):
    """(bytes, characters) of each token."""
    spelled = spelled_bytes(tokenizer, ids)
    if spelled is not None and b"".join(spelled) == text.encode():
        return [(len(piece), sum(byte & 0xC0 != 0x80 for byte in piece)) for piece in spelled]
    covered, found = 0, []
    for n, end in enumerate(ends):
        end = len(text) if n == len(ends) - 1 else max(end, covered)
        found.append((len(text[covered:end].encode()), end - covered))
        covered = end
    return found


def measured(tokenizer, text):
    ids, ends = encode(tokenizer, text)
    if ends is None:
        return {"ids": ids}
    pairs = extents(tokenizer, text, ids, ends)
    assert not ids or sum(size for size, _ in pairs) == len(text.encode()), text
    return {"ids": ids, "bytes": [size for size, _ in pairs], "chars": [count for _, count in pairs]}


def digest(numbers, letters=8):
    """The first letters of the SHA-256 over little-endian u32."""
    return hashlib.sha256(struct.pack(f"<{len(numbers)}I", *numbers)).hexdigest()[:letters]


def flat_extents(line):
    return line["bytes"] + line["chars"]


def line_digests(tokenizer, lines):
    """Per line of a language a digest of the ids and, where there are offsets, of the extents (all bytes, then all characters)."""
    found = [measured(tokenizer, line) for line in lines]
    result = {"ids": " ".join(digest(line["ids"]) for line in found)}
    if all("bytes" in line for line in found):
        result["extents"] = " ".join(digest(flat_extents(line)) for line in found)
    return result


def whole_digests(tokenizer, lines):
    """The same over all lines of a language, a separator after each."""
    found = [measured(tokenizer, line) for line in lines]
    result = {"ids": digest([id for line in found for id in line["ids"] + [SEPARATOR]], 16)}
    if all("bytes" in line for line in found):
        result["extents"] = digest([n for line in found for n in flat_extents(line) + [SEPARATOR]], 16)
    return result


def odd_texts(tokenizer):
    """The texts in full; SentencePiece itself is asked only where whitespace is plain and no special token is spelled out."""
    plain = re.compile(r"(?!.*<)[^\s\x00\u0085▁]*( [^\s\x00\u0085▁]+)*")
    asked = not isinstance(tokenizer, SentencePieceReference)
    return [measured(tokenizer, text) if asked or plain.fullmatch(text) else None for text in TEXTS]


def with_newlines(tokenizer, text, newline):
    """What a text becomes where each of its line breaks is a token, and the lines between are encoded one by one."""
    result = {"text": text, "newline": newline, "ids": [], "bytes": [], "chars": []}
    for n, line in enumerate(text.split("\n")):
        if n > 0:
            for key, value in (("ids", newline), ("bytes", 1), ("chars", 1)):
                result[key].append(value)
        for key, values in measured(tokenizer, line).items():
            result[key] += values
    return result


def write(file, value):
    file.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).parent / "../golden")
    parser.add_argument("--udhr", type=Path)
    arguments = parser.parse_args()
    out = arguments.out / "tokenizers"
    udhr = {}
    for name, make in KINDS.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer = make(folder)
        demo = {language: line_digests(tokenizer, lines) for language, lines in corpus(DEMO / "corpus").items()}
        expected = {"demo": demo, "texts": odd_texts(tokenizer)}
        if name == "xglm":
            text = "\n".join(corpus(DEMO / "corpus")["jpn"][:3] + ["", "plain"]) + "\n\n"
            expected["lines"] = with_newlines(tokenizer, text, XGLM_NEWLINE)
        write(folder / "expected.json", expected)
        if arguments.udhr:
            texts = corpus(arguments.udhr)
            udhr[name] = {language: whole_digests(tokenizer, lines) for language, lines in texts.items()}
    write(out / "texts.json", TEXTS)
    if arguments.udhr:
        write(out / "udhr.json", udhr)


if __name__ == "__main__":
    main()
