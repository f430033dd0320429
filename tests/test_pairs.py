import csv
import io
import json
import string
import sys
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from llmar_env.text.pairs import BadRow, BadTextFile, TextPairs

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# Characters that some line splitter or parser takes for syntax, among any others.
HARD = "\u2028\u2029\x0b\x0c\x1c\x85\ufeff\"',;\\{}\r é😀a "

NFC = normalizers.NFC()

STRINGS = [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]


def writes(kind):
    """Whether this version of pyarrow can write strings of a type."""
    try:
        table = pa.table({"text": pa.array(["a"]).cast(kind)})
        pq.write_table(table, pa.BufferOutputStream())
    except pa.ArrowNotImplementedError:
        return False
    return True


STRINGS += [pa.string_view()] if writes(pa.string_view()) else []

# What is skipped is said; one test looks at how.
pytestmark = pytest.mark.filterwarnings("ignore:.*skipped .* bad rows:UserWarning")


def texts(without: str = "") -> st.SearchStrategy[str]:
    letters = st.sampled_from([c for c in HARD if c not in without]) | st.characters(
        exclude_categories=["Cs"], exclude_characters="\0" + without
    )
    return st.text(letters, min_size=1, max_size=12).filter(lambda text: text.strip() != "")


def pair_lists(without: str = "") -> st.SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(texts(without), texts(without)), min_size=1, max_size=6)


def stripped(pairs):
    return [(source.strip(), target.strip()) for source, target in pairs]


@pytest.fixture
def write(tmp_path):
    def write(data: bytes, name: str = "train.tsv") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that hypothesis may write over, example after example."""
    return tmp_path_factory.mktemp("pairs")


def fault(path: Path, **options) -> str:
    """The error's text without the folder, which only a failing machine would care for."""
    with pytest.raises(BadTextFile) as caught:
        TextPairs.read(path, **options)
    return str(caught.value).replace(f"{path.parent}/", "")


class TestRoundTrips:
    @given(pairs=pair_lists("\t\n"), bom=st.booleans(), crlf=st.booleans(), ends=st.integers(0, 2))
    def test_tsv(self, folder, pairs, bom, crlf, ends):
        end = "\r\n" if crlf else "\n"
        body = end.join("\t".join(row) for row in [("source", "target"), *pairs]) + ends * end
        path = folder / "a.tsv"
        path.write_bytes(b"\xef\xbb\xbf" * bom + body.encode())
        assert list(TextPairs.read(path)) == stripped(pairs)

    @given(pairs=pair_lists(), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    def test_csv(self, folder, pairs, quoting):
        body = io.StringIO(newline="")
        csv.writer(body, quoting=quoting).writerows([("source", "target"), *pairs])
        path = folder / "a.csv"
        path.write_bytes(body.getvalue().encode())
        assert list(TextPairs.read(path)) == stripped(pairs)

    @given(pairs=pair_lists(), ascii_only=st.booleans(), name=st.sampled_from(["jsonl", "ndjson"]))
    def test_jsonl(self, folder, pairs, ascii_only, name):
        rows = [{"id": 7, "target": target, "source": source} for source, target in pairs]
        path = folder / f"a.{name}"
        lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
        path.write_bytes("\n".join(lines).encode())
        assert list(TextPairs.read(path)) == stripped(pairs)

    @pytest.mark.parametrize("kind", STRINGS, ids=str)
    @given(pairs=pair_lists())
    @settings(max_examples=25, deadline=None)
    def test_parquet(self, folder, kind, pairs):
        sources, targets = zip(*pairs, strict=True)
        path = folder / "a.pq"
        columns = {"id": range(len(pairs)), "target": targets, "source": sources}
        table = pa.table({k: pa.array(v) for k, v in columns.items()})
        for at, name in enumerate(table.column_names[1:], 1):
            table = table.set_column(at, name, table.column(name).cast(kind))
        pq.write_table(table, path)
        assert list(TextPairs.read(path)) == stripped(pairs)


class TestFormats:
    def test_extension_in_capitals(self, write):
        assert len(TextPairs.read(write(b"source\ttarget\na\tb\n", "TRAIN.TSV"))) == 1

    def test_format_overrides_the_extension(self, write):
        path = write(b"source,target\na,b\n", "train.txt")
        assert list(TextPairs.read(path, format="csv")) == [("a", "b")]

    @pytest.mark.parametrize("name", ["train.txt", "train"])
    def test_unknown_extension(self, write, name):
        message = fault(write(b"x", name))
        assert all(known in message for known in (name, ".tsv", ".csv", ".jsonl", ".parquet"))

    def test_unknown_format(self, write):
        assert "unknown format 'xlsx'" in fault(write(b"x"), format="xlsx")

    def test_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"absent\.tsv"):
            TextPairs.read(tmp_path / "absent.tsv")
        with pytest.raises(FileNotFoundError, match=r"absent\.parquet"):
            TextPairs.read(tmp_path / "absent.parquet")

    def test_folder(self, tmp_path, write):
        write(b"source\na\n", "mine.tsv")
        with pytest.raises(IsADirectoryError, match=r"is a folder, .*; it holds 'mine.tsv'"):
            TextPairs.read(tmp_path)

    def test_no_name(self):
        with pytest.raises(FileNotFoundError, match="the path is empty"):
            TextPairs.read("")

    def test_a_stream_of_bytes(self):
        read = TextPairs.read(io.BytesIO(b"source,target\na,b\n"), format="csv", name="pipe")
        assert (list(read), read.name) == ([("a", "b")], "pipe")
        with pytest.raises(BadTextFile, match=r"pipe: .* name the format"):
            TextPairs.read(io.BytesIO(b"source,target\na,b\n"), name="pipe")

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("bom", ["", "\ufeff"])
    def test_every_line_end_and_byte_order_mark(self, write, end, bom):
        lines = {
            "a.tsv": ["source\ttarget", "a\tb", "c\td", ""],
            "a.csv": ['"source","target"', "a,b", 'c,"d"', ""],
            "a.jsonl": ['{"source": "a", "target": "b"}', '{"target": "d", "source": "c"}', ""],
        }
        for name, content in lines.items():
            path = write((bom + end.join(content)).encode(), name)
            assert list(TextPairs.read(path)) == [("a", "b"), ("c", "d")]

    def test_on_bad_row_is_checked(self, write):
        with pytest.raises(ValueError, match="'ignore'"):
            TextPairs.read(write(b"source\na\n"), on_bad_row="ignore")

    def test_name_is_the_path(self, write):
        path = write(b"source\na\n")
        assert TextPairs.read(path).name == TextPairs.read(str(path)).name == str(path)


class TestColumns:
    def test_other_names_in_any_order(self, write):
        path = write(b"id\ten\tde\n1\tdog\tHund\n")
        read = TextPairs.read(path, source_column="de", target_column="en")
        assert list(read) == [("Hund", "dog")]

    def test_one_column_is_an_echo(self, write, tmp_path):
        pq.write_table(pa.table({"source": ["a", "b"]}), tmp_path / "c.parquet")
        for path in (
            write(b"source\na\nb\n", "a.tsv"),
            write(b'source\n"a"\nb\n', "a.csv"),
            write(b'{"source": "a"}\n{"source": "b"}', "b.jsonl"),
            tmp_path / "c.parquet",
        ):
            read = TextPairs.read(path)
            assert list(read) == [("a", "a"), ("b", "b")]
            assert read.echo

    def test_two_columns_are_no_echo_unless_alike(self, write):
        assert not TextPairs.read(write(b"source\ttarget\na\ta\nb\tc\n")).echo
        assert TextPairs.read(write(b"source\ttarget\na\ta\nb\tb\n")).echo

    def test_one_column_named_twice_is_an_echo(self, write):
        path = write(b"id\ttext\n1\ta\n")
        assert TextPairs.read(path, source_column="text", target_column="text").echo

    @pytest.mark.parametrize("end", ["tsv", "csv"])
    def test_missing_column_lists_those_found(self, write, end):
        tab = {"tsv": b"\t", "csv": b","}[end]
        path = write(tab.join([b"source", b"tgt", b"id"]) + b"\n", f"a.{end}")
        message = fault(path)
        assert message.startswith(f"a.{end}, line 1: no column 'target'")
        assert "'source', 'tgt', 'id'" in message

    def test_missing_column_in_parquet(self, tmp_path):
        pq.write_table(pa.table({"source": ["a"], "tgt": ["b"]}), tmp_path / "a.parquet")
        message = fault(tmp_path / "a.parquet")
        assert message.startswith("a.parquet: no column 'target'")
        assert "'source', 'tgt'" in message

    def test_headerless_single_column_loses_no_line(self, write):
        assert "no column 'source'; the columns found are 'Guten Tag'" in fault(write(b"Guten Tag"))

    @pytest.mark.parametrize("end", ["tsv", "csv"])
    def test_only_the_columns_that_are_read_need_names_of_their_own(self, write, end):
        tab = {"tsv": "\t", "csv": ","}[end]
        for header, row in (
            (["source", "", "", "target"], ["a", "x", "y", "b"]),
            (["id", "source", "id", "target"], ["1", "a", "2", "b"]),
            (["source", "target", "", ""], ["a", "b", "", " "]),
            (["source", "target", "", ""], ["a", "b"]),
            (["source", "target"], ["a", "b", "", ""]),
        ):
            path = write(f"{tab.join(header)}\n{tab.join(row)}\n".encode(), f"a.{end}")
            assert list(TextPairs.read(path)) == [("a", "b")]
        path = write(f"source{tab}target{tab}{tab}\na{tab}b{tab}{tab}c\n".encode(), f"a.{end}")
        assert fault(path).endswith("expected 2 columns (source, target), found 4")

    def test_only_the_keys_that_are_read_need_to_be_unique(self, write):
        row = b'{"id": 1, "id": 2, "more": {"a": 1, "a": 2}, "source": "a", "target": "b"}\n'
        assert list(TextPairs.read(write(row, "a.jsonl"))) == [("a", "b")]

    def test_only_the_columns_of_parquet_that_are_read_need_names_of_their_own(self, tmp_path):
        arrays = [pa.array([text]) for text in ("1", "a", "2", "b")]
        table = pa.Table.from_arrays(arrays, ["id", "source", "id", "target"])
        pq.write_table(table, tmp_path / "a.parquet")
        assert list(TextPairs.read(tmp_path / "a.parquet")) == [("a", "b")]
        table = pa.Table.from_arrays(arrays, ["target", "source", "id", "target"])
        pq.write_table(table, tmp_path / "a.parquet")
        assert "names 'target' more than once" in fault(tmp_path / "a.parquet")

    def test_one_column_of_texts_is_an_echo(self, write, tmp_path):
        pq.write_table(pa.table({"text": ["a"]}), tmp_path / "c.parquet")
        for path in (
            write(b"text\na\n", "a.tsv"),
            write(b"text,\na,\n", "a.csv"),
            write(b'{"text": "a"}\n', "a.jsonl"),
            tmp_path / "c.parquet",
        ):
            assert list(TextPairs.read(path)) == [("a", "a")]
            assert list(TextPairs.read(path, target_column="source")) == [("a", "a")]
            with pytest.raises(BadTextFile, match="'de'"):  # asked for, and not there
                TextPairs.read(path, source_column="de")
        assert "empty text in column 'text'" in fault(write(b"text\na\n \nb\n", "a.tsv"))

    @pytest.mark.parametrize(
        ("name", "header", "advice"),
        [
            ("a.csv", b"source;target", "separated by ';' in place of commas? Then save it with"),
            ("a.csv", b"source\ttarget", "separated by '\\t' in place of commas? Then its format"),
            (
                "a.tsv",
                b"source,target",
                "separated by ',' in place of tabs? Then its format is csv",
            ),
            (
                "a.tsv",
                b"source|target",
                "separated by '|' in place of tabs? Then save it with tabs",
            ),
        ],
    )
    def test_another_separator_is_asked_about(self, write, name, header, advice):
        assert advice in fault(write(header + b"\na\n", name))

    def test_a_missing_column_is_chosen_by_option_and_flag(self, write):
        message = fault(write(b"de\ten\na\tb\n"))
        for name in ("source_column", "target_column", "--source-column", "--target-column"):
            assert f" {name}" in message

    def test_duplicate_column(self, write):
        message = fault(write(b"source\ttarget\tsource\na\tb\tc\n"))
        assert "line 1: the header names 'source' more than once" in message

    def test_file_without_newlines_does_not_flood_the_message(self, write):
        assert len(fault(write(b"x" * 100_000 + b"\ty" * 1000))) < 1000


class TestTsv:
    def test_a_stray_quote_is_a_character(self, write):
        path = write(b'source\ttarget\n"so\t5" x"\n"a"\t""\n')
        assert list(TextPairs.read(path)) == [('"so', '5" x"'), ('"a"', '""')]

    def test_unicode_line_ends_are_characters(self, write):
        text = "a\u2028b\x0bc\x85d"
        path = write(f"source\ttarget\n{text}\tx\n".encode())
        assert TextPairs.read(path).source == (text,)

    def test_ragged(self, write):
        path = write(b"source\ttarget\na\tb\na\tb\tc\n")
        assert fault(path) == "train.tsv, line 3: expected 2 columns (source, target), found 3"

    def test_bom_crlf_and_blank_end(self, write):
        path = write(b"\xef\xbb\xbfsource\ttarget\r\na\tb\r\n\r\n\r\n")
        assert list(TextPairs.read(path)) == [("a", "b")]

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (b"", "blank line"),
            (b"\r", "blank line"),
            (b"a\t", "empty text in column 'target'"),
            (b" \xc2\xa0\tb", "empty text in column 'source'"),
            (b"a\tb\0c", "a NUL character in column 'target'"),
            (b"a", "expected 2 columns (source, target), found 1"),
            (b"a\tb\xe9c", "byte 0xE9 at byte offset 3 (from 0) is not UTF-8"),
            (b"\xc3\xa9\t\xc0\xaf", "byte 0xC0 at byte offset 3 (from 0) is not UTF-8"),
            (b"\xed\xa0\x80\tb", "byte 0xED at byte offset 0 (from 0) is not UTF-8"),
        ],
    )
    def test_bad_rows(self, write, row, reason):
        path = write(b"source\ttarget\na\tb\n" + row + b"\nc\td\n")
        assert fault(path) == f"train.tsv, line 3: {reason}"
        read = TextPairs.read(path, on_bad_row="skip")
        assert list(read) == [("a", "b"), ("c", "d")]
        assert read.skipped == (BadRow(3, reason),)

    def test_bad_byte_in_the_header_is_no_row_to_skip(self, write):
        message = fault(write(b"source\tt\xe4\na\tb\n"), on_bad_row="skip")
        assert message == "train.tsv, line 1: byte 0xE4 at byte offset 8 (from 0) is not UTF-8"

    def test_utf16(self, write):
        assert "UTF-16" in fault(write("source\ttarget\na\tb\n".encode("utf-16")))

    def test_nothing_to_read(self, write):
        assert "empty" in fault(write(b""))
        assert "empty" in fault(write(b"\xef\xbb\xbf\n"))
        assert "no rows" in fault(write(b"source\ttarget\n\n"))

    def test_all_bad_shows_the_first_three(self, write):
        path = write(b"source\ttarget\n1\n2\n\t\nx\ty\tz\n")
        message = fault(path, on_bad_row="skip")
        assert "4 bad" in message
        assert all(f"line {line}: " in message for line in (2, 3, 4))
        assert "line 5" not in message


class TestCsv:
    def test_quoted_newlines_keep_the_line_numbers(self, write):
        path = write(b'source,target\n"a\n\nb","c, ""d"""\ne,f,g\n"h\ni",j,k\nl,m\n', "a.csv")
        assert fault(path) == "a.csv, line 5: expected 2 columns (source, target), found 3"
        read = TextPairs.read(path, on_bad_row="skip")
        assert list(read) == [("a\n\nb", 'c, "d"'), ("l", "m")]
        assert [bad.line for bad in read.skipped] == [5, 6]

    def test_bad_byte_spoils_its_record_only(self, write):
        path = write(b'source,target\n"a\nb\xff",c\nd,e\n', "a.csv")
        reason = "byte 0xFF at byte offset 1 (from 0) is not UTF-8"
        assert fault(path) == f"a.csv, line 3: {reason}"
        read = TextPairs.read(path, on_bad_row="skip")
        assert list(read) == [("d", "e")]
        assert read.skipped == (BadRow(3, reason),)

    def test_bad_quoting(self, write):
        path = write(b'source,target\n"a"b,c\nd,e\n', "a.csv")
        assert fault(path).startswith("a.csv, line 2: characters after a closing quote")
        assert list(TextPairs.read(path, on_bad_row="skip")) == [("d", "e")]

    def test_unclosed_quote_says_what_it_swallowed(self, write):
        path = write(b'source,target\na,b\n"c,d\ne,f\ng,h\n', "a.csv")
        expected = "a quote opened here is never closed; the row runs to line 5"
        assert fault(path) == f"a.csv, line 3: {expected}"
        assert TextPairs.read(path, on_bad_row="skip").skipped == (BadRow(3, expected),)

    def test_carriage_return_within_a_line(self, write):
        path = write(b"source,target\na\rb,c\nd,e\n", "a.csv")
        assert "line 2: a carriage return" in fault(path)
        assert list(TextPairs.read(path, on_bad_row="skip")) == [("d", "e")]

    def test_a_text_may_be_of_any_length(self, write):
        limit = csv.field_size_limit()
        long = "x" * 200_000
        lines = "\n".join(f"line {n}, of one text" for n in range(9000))
        path = write(f'source,target\na,{long}\n"{lines}",c\nd,e\n'.encode(), "a.csv")
        assert list(TextPairs.read(path)) == [("a", long), (lines, "c"), ("d", "e")]
        assert csv.field_size_limit() == limit

    @pytest.mark.parametrize(
        ("broken", "lost"),
        [
            ('"he says "hi" there\nline,inside\nend",t', 3),
            ('"5" disk\nline,inside\nend",t', 3),
            ('"5" disk\nline,inside\n",t', 3),
            ('t,"5" disk\nline,inside\nmore,inside\n"', 4),
            ('"5" disk\nline,inside\nand "so" on,here\nend",t', 4),
            ('"5" disk",t', 1),
            ('"a"b,c', 1),
        ],
    )
    def test_lines_of_a_broken_record_are_no_pairs(self, write, broken, lost):
        for after in ("c,d\n", '"c","d"\n', 'c, "d"\n', '""" c",d\n'):
            path = write(f"source,target\na,b\n{broken}\n{after}".encode(), "a.csv")
            read = TextPairs.read(path, on_bad_row="skip")
            assert len(read) == 2
            assert [text.strip('" ') for text in (*read.source, *read.target)] == list("acbd")
            (bad,) = read.skipped
            assert bad.line == 3
            assert bad.reason.startswith("characters after a closing quote")
            assert bad.reason.endswith(f"line {lost + 2}") == (lost > 1)

    def test_blank_lines(self, write):
        path = write(b"\xef\xbb\xbfsource,target\r\na,b\r\n\r\nc,d\r\n\r\n", "a.csv")
        assert fault(path) == "a.csv, line 3: blank line"
        assert len(TextPairs.read(path, on_bad_row="skip")) == 2

    def test_bad_header(self, write):
        assert "a.csv, line 1: a quote opened" in fault(write(b'"source,target\na,b\n', "a.csv"))

    @pytest.mark.parametrize("row", ['"a, b", "c"', '"a, b",   "c"', ' "a, b","c"', '"a, b", c'])
    def test_a_blank_before_a_quote(self, write, row):
        path = write(f'"source", "target"\n{row}\n'.encode(), "a.csv")
        assert list(TextPairs.read(path)) == [("a, b", "c")]

    def test_quoted_empty_text_at_the_end_is_a_row(self, write):
        path = write(b'source\na\n""\n', "a.csv")
        assert fault(path) == "a.csv, line 3: empty text in column 'source'"


class TestJsonl:
    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            (b"", "blank line"),
            (b'{"source": "a", "target"}', "bad JSON: Expecting ':' delimiter, at character 25"),
            (b'{"source": "a"} {}', "bad JSON: Extra data"),
            (b"[" * 100_000, "bad JSON"),
            (b'["a", "b"]', 'expected a JSON object, found ["a", "b"]'),
            (b'"a"', 'expected a JSON object, found "a"'),
            (b'{"source": "a", "tgt": "b"}', "no key 'target'; the keys found are 'source', 'tgt'"),
            (b'{"source": "a"}', "no key 'target'; the keys found are 'source'"),
            (b"{}", "no key 'source'; the keys found are none"),
            (b'{"source": 3, "target": "b"}', "expected a string for 'source', found 3"),
            (b'{"source": ["a"], "target": "b"}', "expected a string for 'source', found [\"a\"]"),
            (b'{"source": {"de": "a"}, "target": "b"}', "expected a string for 'source', found {"),
            (
                b'{"source": "b\\udcff", "target": "b"}',
                "half a surrogate pair, U+DCFF, at character 1",
            ),
            (b'{"source": "a", "target": null}', "expected a string for 'target', found null"),
            (b'{"source": "a", "target": " "}', "empty text in column 'target'"),
            (b'{"source": "a", "target": "\\u0000"}', "a NUL character in column 'target'"),
            (b'{"source": "\\ud83d", "target": "b"}', "half a surrogate pair, U+D83D"),
            (b'{"source": "a", "target": "b", "source": "c"}', "bad JSON: 'source' occurs more"),
            (b'{"source": "\xe9", "target": "b"}', "byte 0xE9 at byte offset 12"),
        ],
    )
    def test_bad_rows(self, write, row, reason):
        good = b'{"source": "a", "target": "b"}'
        path = write(
            b"\xef\xbb\xbf" + good + b"\r\n" + row + b"\r\n" + good + b"\r\n\r\n", "a.jsonl"
        )
        assert fault(path).startswith(f"a.jsonl, line 2: {reason}")
        read = TextPairs.read(path, on_bad_row="skip")
        assert list(read) == [("a", "b")] * 2
        assert [bad.line for bad in read.skipped] == [2]

    def test_a_target_in_an_echo_is_not_dropped(self, write):
        path = write(b'{"source": "a"}\n{"source": "b", "target": "c"}\n', "a.jsonl")
        assert fault(path).startswith("a.jsonl, line 2: expected the key 'source' alone")

    def test_empty(self, write):
        assert "empty" in fault(write(b"\n", "a.jsonl"))


class TestParquet:
    def test_nulls_and_blanks_are_named_by_row(self, tmp_path):
        path = tmp_path / "a.parquet"
        table = {"source": ["a", None, "c"], "target": ["x", "y", " "]}
        pq.write_table(pa.table(table), path)
        assert fault(path) == "a.parquet, row 2: null in column 'source'"
        read = TextPairs.read(path, on_bad_row="skip")
        assert list(read) == [("a", "x")]
        assert [bad.line for bad in read.skipped] == [2, 3]

    def test_bad_byte(self, tmp_path):
        path = tmp_path / "a.parquet"
        raw = pa.array([b"good", b"b\xff"])
        # Arrow lets a writer pass any bytes off as a string.
        column = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
        pq.write_table(pa.table({"source": column}), path)
        assert "a.parquet, row 2: byte 0xFF at byte offset 1" in fault(path)
        assert TextPairs.read(path, on_bad_row="skip").source == ("good",)

    def test_a_column_of_numbers(self, tmp_path):
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"source": ["a"], "target": [1]}), path)
        assert fault(path).endswith("expected strings in column 'target', found int64")

    def test_names_with_dots(self, tmp_path):
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"t.de": ["a"], "t.en": ["b"]}), path)
        assert list(TextPairs.read(path, source_column="t.de", target_column="t.en")) == [
            ("a", "b")
        ]

    def test_several_row_groups(self, tmp_path):
        path = tmp_path / "a.parquet"
        sources = [str(number) for number in range(1000)]
        pq.write_table(pa.table({"source": sources}), path, row_group_size=64)
        assert TextPairs.read(path).source == tuple(sources)

    def test_no_rows(self, tmp_path):
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"source": pa.array([], pa.string())}), path)
        assert "no rows" in fault(path)

    def test_something_else(self, write):
        assert "not a readable parquet file" in fault(write(b"source\ttarget\n", "a.parquet"))

    def test_without_pyarrow(self, write, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(ImportError, match=r'pip install "llmar\[parquet\]"'):
            TextPairs.read(write(b"", "a.parquet"))
        assert len(TextPairs.read(write(b"source\na\n"))) == 1


class TestPairs:
    def test_validation(self):
        with pytest.raises(ValueError, match="2 source texts but 1 target"):
            TextPairs(("a", "b"), ("c",))
        with pytest.raises(ValueError, match="no pairs"):
            TextPairs((), ())
        with pytest.raises(ValueError, match=r"demo, target\[1\]: the text is empty"):
            TextPairs(("a", "b"), ("c", " \t"), name="demo")
        with pytest.raises(TypeError, match=r"source\[0\]: 3 is not a str"):
            TextPairs((3,), ("c",))

    def test_half_a_character_is_no_text(self):
        message = r"demo, target\[0\]: half a surrogate pair, U\+D800, at character 1"
        with pytest.raises(ValueError, match=message):
            TextPairs(("a",), ("b\ud800",), name="demo")

    def test_lists_are_taken_as_tuples(self):
        assert TextPairs(["a"], ("a",)).echo

    def test_slice(self):
        pairs = TextPairs(("a", "b", "c"), ("x", "y", "z"), "demo", (BadRow(2, "blank line"),))
        assert pairs[1:] == TextPairs(("b", "c"), ("y", "z"), "demo", pairs.skipped)
        assert len(pairs[::2]) == 2
        with pytest.raises(ValueError, match="demo: no pairs"):
            pairs[3:]
        with pytest.raises(TypeError, match="by slice"):
            pairs[0]

    def test_overlap(self):
        pairs = TextPairs(("a", "b", "a", "c"), ("x", "y", "z", "w"))
        assert pairs.overlap(TextPairs(("c", "a", "b"), ("w", "x", "x"))) == [0, 3]
        assert pairs.overlap(TextPairs(("x",), ("a",))) == []

    def test_overlap_in_another_unicode_form(self):
        pairs = TextPairs(("Ta\u0308nzer", "Tanzer"), ("dancer ", "dancer"))
        assert pairs.overlap(TextPairs(("T\u00e4nzer",), ("dancer",))) == [0]


def numbered(count: int) -> TextPairs:
    names = tuple(f"text {number}" for number in range(count))
    return TextPairs(names, tuple(name.upper() for name in names))


class TestSplit:
    @given(
        sources=st.lists(st.sampled_from(string.ascii_lowercase), min_size=1, max_size=60),
        seed=st.integers(),
        data=st.data(),
    )
    def test_no_row_lost_no_source_twice_whatever_the_order(self, sources, seed, data):
        pairs = TextPairs(sources, [f"{source}{row}" for row, source in enumerate(sources)])
        order = data.draw(st.permutations(range(len(pairs))))
        again = TextPairs([pairs.source[i] for i in order], [pairs.target[i] for i in order])
        try:
            split = pairs.split({"left": 0.5, "right": 0.5}, seed=seed)
        except ValueError as error:
            assert "without a pair" in str(error)  # noqa: PT017 - either outcome is right
            return
        assert sorted(pair for part in split.values() for pair in part) == sorted(pairs)
        assert not set(split["left"].source) & set(split["right"].source)
        shuffled = again.split({"left": 0.5, "right": 0.5}, seed=seed)
        assert all(set(split[name]) == set(shuffled[name]) for name in split)

    @given(sources=st.lists(texts(), min_size=1, max_size=30))
    def test_no_two_splits_share_what_a_tokenizer_reads(self, sources):
        for form in ("NFC", "NFD"):
            sources += [unicodedata.normalize(form, text) for text in sources]
        pairs = TextPairs(sources, sources)
        try:
            split = pairs.split({"left": 0.5, "right": 0.5})
        except ValueError as error:
            assert "without a pair" in str(error)  # noqa: PT017 - either outcome is right
            return
        left, right = ({NFC.normalize_str(t.strip()) for t in split[s].source} for s in split)
        assert not left & right

    def test_shares(self):
        split = numbered(20_000).split()
        # Five standard deviations of a binomial: 5 * sqrt(20000 * .9 * .1) and * .05 * .95.
        assert abs(len(split["train"]) - 18_000) < 212
        assert abs(len(split["valid"]) - 1_000) < 154
        assert abs(len(split["test"]) - 1_000) < 154

    def test_rows_keep_their_order(self):
        part = numbered(300).split({"a": 0.5, "b": 0.5})["a"]
        numbers = [int(text.split()[1]) for text in part.source]
        assert numbers == sorted(numbers)

    def test_the_same_on_every_machine(self):
        # By coreutils: `printf '0\ntext 0' | b2sum -l 64` and so on; low is a first byte below 80.
        split = numbered(8).split({"low": 0.5, "high": 0.5})
        assert [text[-1] for text in split["low"].source] == ["1", "3", "4"]

    def test_seeds_differ(self):
        pairs = numbered(300)
        assert pairs.split(seed=1)["train"] != pairs.split(seed=2)["train"]
        assert pairs.split(seed=1) == pairs.split(seed=1)

    def test_an_empty_split_is_an_error(self):
        with pytest.raises(ValueError, match=r"texts: .*without a pair; 2 pairs"):
            TextPairs(("a", "a"), ("b", "c")).split()

    @pytest.mark.parametrize(
        "fractions", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": 1, "b": 0}, {"a": float("nan")}]
    )
    def test_fractions_must_share_out_everything(self, fractions):
        with pytest.raises(ValueError, match="add up to 1"):
            numbered(10).split(fractions)

    def test_thirds_lose_no_row(self):
        pairs = numbered(1000)
        split = pairs.split(dict.fromkeys("abc", 1 / 3))
        assert sum(map(len, split.values())) == 1000

    def test_one_split_takes_all(self):
        assert list(numbered(5).split({"all": 1})["all"]) == list(numbered(5))


@pytest.fixture(scope="module")
def data():
    if not DATA.is_dir():
        pytest.skip(f"the real data sets are not at {DATA}")
    return DATA


@pytest.mark.realdata
class TestRealData:
    @pytest.mark.parametrize(
        ("name", "rows"),
        [
            ("multi30k-de-en/train", 29_000),
            ("multi30k-de-en/val", 1014),
            ("multi30k-de-en/test", 1000),
            ("scitldr/train", 1992),
            ("scitldr/val", 619),
            ("sgd-dialogue/train", 25_000),
            ("sgd-dialogue/val", 1000),
        ],
    )
    def test_row_counts(self, data, name, rows):
        read = TextPairs.read(data / f"{name}.tsv")
        assert len(read) == rows
        assert not read.skipped
        assert not read.echo

    def test_overlap_against_the_bytes_of_the_lines(self, data):
        folder = data / "sgd-dialogue"
        known = set((folder / "train.tsv").read_bytes().split(b"\n"))
        lines = (folder / "val.tsv").read_bytes().split(b"\n")[1:-1]
        expected = [row for row, line in enumerate(lines) if line in known]
        val, train = (TextPairs.read(folder / f"{name}.tsv") for name in ("val", "train"))
        assert val.overlap(train) == expected

    def test_splitting_parts_all_sources(self, data):
        train = TextPairs.read(data / "sgd-dialogue" / "train.tsv")
        assert len(set(train.source)) < len(train)  # else the next lines would show nothing
        parts = [set(part.source) for part in train.split(seed=7).values()]
        assert sum(map(len, parts)) == len(set(train.source))


def test_skipped_rows_are_counted_in_a_warning(tmp_path):
    (tmp_path / "a.tsv").write_text("source\ttarget\na\tb\nc\t\nd\n")
    with pytest.warns(UserWarning, match=r"a\.tsv: skipped 2 bad rows, the first in line 3: "):
        TextPairs.read(tmp_path / "a.tsv", on_bad_row="skip")
