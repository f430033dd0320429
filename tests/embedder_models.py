"""Small models of every kind, made from a configuration and saved, as their libraries save them."""

import gzip
import json
import struct

import numpy as np

WORDS = ["a", "small", "red", "dog", "jumps", "over", "the", "old", "tree", "never", "far"]
WORDS += ["Anna", "laughs", "and", "sleeps", "in", "London"]
TEXTS = [
    " ".join(np.random.default_rng(seed).choice(WORDS, size=2 + seed % 9)) for seed in range(60)
] + ["Anna laughs, never far.", "The SMALL dog"]


def word_piece():
    """A BERT tokenizer, some of whose words are several subwords."""
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )
    from transformers import PreTrainedTokenizerFast

    # Half of the words and the letters: a trainer breaks ties in another way in each process.
    letters = sorted({letter for text in TEXTS for letter in text.lower() if letter.isalpha()})
    words = [word.lower() for word in WORDS[::2] if len(word) > 1]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ",", ".", *letters]
    pieces += [f"##{letter}" for letter in letters] + words
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
    options = {f"{name}_token": token for name, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=48, **options)


def byte_pairs():
    """A GPT-2 tokenizer, without a token for padding."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=280, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def save_bert(folder):
    import torch
    from transformers import BertConfig, BertModel

    tokenizer = word_piece()
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=48,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_gpt2(folder):
    import torch
    from transformers import GPT2Config, GPT2Model

    tokenizer = byte_pairs()
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=12, n_layer=2, n_head=2, n_positions=64)
    GPT2Model(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_sentence_transformer(folder):
    from sentence_transformers import SentenceTransformer

    save_bert(folder / "bert")
    SentenceTransformer(str(folder / "bert"), device="cpu").save(str(folder / "st"))
    return folder / "st"


def save_model2vec(folder):
    from model2vec import StaticModel

    tokenizer = word_piece().backend_tokenizer
    vectors = np.random.default_rng(5).standard_normal((tokenizer.get_vocab_size(), 10))
    vectors *= np.random.default_rng(6).uniform(0.1, 2, (len(vectors), 1))
    StaticModel(vectors.astype(np.float32), tokenizer).save_pretrained(folder)


def table():
    """The words of the vector files, of which "London" is cased, and their vectors."""
    words = [*WORDS, ",", "."]
    return words, np.random.default_rng(7).standard_normal((len(words), 8)).astype(np.float32)


def save_word2vec_text(path):
    words, vectors = table()
    lines = [f"{len(words)} {vectors.shape[1]}", *lines_of(words, vectors)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def save_word2vec_binary(path):
    words, vectors = table()
    data = f"{len(words)} {vectors.shape[1]}\n".encode()
    for word, vector in zip(words, vectors, strict=True):
        data += word.encode() + b" " + struct.pack(f"<{len(vector)}f", *vector) + b"\n"
    path.write_bytes(data)


def save_glove(path):
    path.write_text("\n".join(lines_of(*table())) + "\n", "utf-8")


def save_fasttext_gz(path):
    words, vectors = table()
    # fastText ends each line with a blank.
    lines = [f"{len(words)} {vectors.shape[1]}", *(f"{x} " for x in lines_of(words, vectors))]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))


def lines_of(words, vectors):
    return [
        f"{word} {' '.join(repr(float(x)) for x in vector)}"
        for word, vector in zip(words, vectors, strict=True)
    ]


def head_of(path):
    """What the header of an embedder's file says."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    return json.loads(json.loads(raw[8 : 8 + size])["__metadata__"]["embedder"])
