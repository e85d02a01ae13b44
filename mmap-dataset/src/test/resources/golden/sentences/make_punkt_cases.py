"""Writes Punkt parameters and cases with the sentences that NLTK cuts, as preprocess_data.py calls it.

    python make_punkt_cases.py train DIR            a text of templates -> DIR/{abbrev_types.txt, ...}
    python make_punkt_cases.py train DIR CORPUS     the texts of a JSONL file instead
    python make_punkt_cases.py cases DIR SEED COUNT OUT [CORPUS]
                                                    OUT: {"text", "sentences", "kept"} a line

The rules are those of the NLTK that Python finds: the committed files are of 3.8.1 (punkt_nltk_3_8.jsonl)
and 3.10.3 (punkt_nltk_3_10.jsonl), seed 1, 700 cases, with the committed parameters, trained by 3.10.3.
"""

import json
import os
import random
import sys
from collections import defaultdict

from nltk.tokenize import punkt


class KeepNewlines(punkt.PunktLanguageVars):
    """The end contexts of preprocess_data.py --keep-newlines: white space is part of the match."""

    _period_context_fmt = r"\S*%(SentEndChars)s\s*(?=(?P<after_tok>%(NonWord)s|(?P<next_tok>\S+)))"


def training_text():
    r = random.Random(7)
    titles = ["Dr.", "Mr.", "Mrs.", "Prof.", "Gen.", "St.", "Capt."]
    names = ["Miller", "Okafor", "Brandt", "Silva", "Chen", "Novak", "Bach", "Ångström", "Öztürk"]
    verbs = ["wrote", "measured", "sold", "forgot", "painted", "counted", "lost", "found"]
    things = ["the ledger", "a bridge", "three lamps", "the old mill", "some maps", "a violin", "the well"]
    places = ["the harbour", "the market", "a cold room", "the east gate", "a train"]
    starters = ["However", "Then", "Later", "Nobody", "It", "They", "In summer"]
    abbreviations = ["e.g.", "i.e.", "approx.", "cf.", "vs.", "etc.", "ca.", "ft.", "u.s.", "p.m.", "Σας.", "зам."]
    lines = []
    for i in range(9000):
        k = r.randrange(10)
        who = r.choice(titles) + " " + r.choice(names)
        if k == 0:
            s = f"{r.choice('ABCDEJKMΣЖ')}. {r.choice(names)} {r.choice(verbs)} {r.choice(things)}."
        elif k == 1:
            s = f"{who} {r.choice(verbs)} {r.choice(things)}, {r.choice(abbreviations)} near {r.choice(places)}."
        elif k == 2:
            s = f"{r.choice(starters)}, {who} {r.choice(verbs)} {r.choice(things)} at {r.choice(places)}."
        elif k == 3:
            s = f"On {r.randrange(1, 31)}. {r.choice(['mai', 'May', 'Juni'])} {r.randrange(1700, 2000)} {who} {r.choice(verbs)} it."
        elif k == 4:
            s = f"See No. {r.randrange(99)} and fig. {r.randrange(9)}.{r.randrange(9)} of {r.choice(things)}!"
        elif k == 5:
            s = f"Who {r.choice(verbs)} {r.choice(things)}? {r.choice(starters)} it was {who}."
        elif k == 6:
            s = f"{r.choice(starters)} they {r.choice(verbs)} {r.choice(things)} ... and {r.choice(verbs)} {r.choice(things)}."
        elif k == 7:
            s = f"Johann S. Bach {r.choice(verbs)} {r.choice(things)} in approx. {r.randrange(9)} hours."
        elif k == 8:
            s = f"The {r.choice(['mill', 'ledger', 'bridge'])} cost {r.randrange(99)}.{r.randrange(99)} at {r.choice(places)} vs. {r.randrange(9)},{r.randrange(100, 999)} before."
        else:
            s = f"\"It is {r.choice(things)},\" said {who}. It was {r.choice(places)} again."
        lines.append(s)
    return "\n".join(" ".join(lines[i : i + 9]) for i in range(0, len(lines), 9))


def texts(corpus):
    with open(corpus, encoding="utf-8") as f:
        return [max((v for v in json.loads(line).values() if isinstance(v, str)), key=len) for line in f]


def train(directory, corpus):
    trainer = punkt.PunktTrainer()
    trainer.INCLUDE_ALL_COLLOCS = True
    trainer.INCLUDE_ABBREV_COLLOCS = True
    trainer.train("\n\n".join(texts(corpus)[:900]) if corpus else training_text(), finalize=False)
    trainer.finalize_training()
    os.makedirs(directory, exist_ok=True)
    punkt.save_punkt_params(trainer.get_params(), directory)


def load(directory):
    def entries(name):
        with open(os.path.join(directory, name), encoding="utf-8", newline="\n") as f:
            text = f.read()
        lines = text.split("\n")
        return lines[:-1] if lines[-1] == "" else lines

    params = punkt.PunktParameters()
    params.abbrev_types = set(entries("abbrev_types.txt"))
    params.sent_starters = set(entries("sent_starters.txt"))
    params.collocations = {tuple(line.split("\t")) for line in entries("collocations.tab")}
    params.ortho_context = defaultdict(int)
    for line in entries("ortho_context.tab"):
        word, context = line.split("\t")
        params.ortho_context[word] = int(context)
    return params


EDGES = [
    "", " ", "\n", ".", "..", "...", ". ", " .", "?", "!?", "a", "A.", "a. b", "A. B.", "a.b.c", "(a.) B.", "\ufeffA. B",
    "\"He left.\" She stayed.", "“He left.” She stayed.", "«Oui.» Non.", "He left.’ Then", "(One.) (Two!) [Three?] {Four.} Five.",
    "('And (this)) '?)\" [(and this. )]", "Wait... What? No!!! Yes.", "Wait . . . What", "One. . . . Two. . Three", "Go -- now. --Then.",
    "End.) -- Next.", "End.\"--Next.", "End.) ", "End.)\n\nNext.)", "3.14 is pi. 2. Mai 1900. No. 5 is alive. -3. -,5. ٣. 𝟎. x",
    "Dr. Miller left at 5 p.m. Then Mrs. Chen came, e.g. in No. 7. It rained.", "J. S. Bach. Johann S. Bach wrote. j. bach",
    "U.S. It was. u.s. They ... It. vs. However, vs. however", "ΟΔΟΣ. ΣΑΣ. Σ. ΑΣ.Β ΑΣ'. İstanbul. I. ı. ǅ. ǅ ß. ẞ. ﬁ.",
    "中文没有空格。下一句？再一句！End. 中文. 下一", "😀. 😀😀. 𐐀. 𐐨. x 𝒳. Y", "a\u00a0. b\u3000c. D\u2028e. F\x85g. H\x1ci. J",
    "non-approx. It approx-. It -. It -approx. It", "word,. It word, word,\" word,-- , ,, ,a", "\ud83d. lone \ude00. surrogates\ud83d",
    ".\n.\n.\nA", "A.\n\n\nB.\r\nC.\tD.\x0bE.\x0cF. \n", "a .) b ?) c !\" d .", "`a.` *b.* #c. @d. &e. ;f. :g. -h. ]i. }j.", "a.*b.@c.:d.;e.",
    "Hm... it went. Hm.... It went. Hm ... They went", "x. . y", "x. \" y. ' z.' ) w", "\u200bA. \u200bB. \u0301a. _. 1_. ². ½. Ⅷ. 〇. x",
]

PIECES = [
    ".", "?", "!", "..", "...", ". . .", ",", ";", ":", "-", "--", "---", "'", "\"", "`", "(", ")", "[", "]", "{", "}", "*", "@", "#", "&",
    "“", "”", "‘", "’", "«", "»", "…", "。", "！", "，", "、", " ", " ", " ", " ", " ", "  ", "\n", "\n\n", "\t", "\r\n", "\x0b", "\x0c", "\x1c",
    "\x1f", "\x85", "\u00a0", "\u1680", "\u2003", "\u2028", "\u202f", "\u3000", "\ufeff", "\u200b", "Dr", "dr.", "Mr.", "Mrs. Chen", "Prof.",
    "e.g.", "i.e.", "etc.", "approx.", "Approx", "no.", "No.", "fig.", "vs.", "p.m.", "u.s.", "U.S.", "St", "ca", "cf", "ft.", "Bach", "Johann",
    "S.", "J.", "j.", "A", "a", "Σ", "σας", "ΣΑΣ", "Σ.", "ς.", "Ж.", "зам.", "İ", "ı", "ǅ", "ß", "ẞ", "é", "É.", "Ångström", "the", "The", "it",
    "It", "they", "They", "However", "however", "Then", "then", "Later", "mai", "May", "ledger", "mill", "Miller", "miller", "harbour", "market",
    "1", "2.", "3.14", "-5", "1,000", "1,000.", "٣", "٣.", "𝟎", "²", "½", "Ⅷ", "〇", "十", "_", "__", "中文", "下一句", "日本語。", "한국어", "😀", "👩‍👩‍👧", "𐐀", "𐐨.",
    "𝒳.", "\u0301", "e\u0301.", "ª", "ʰ", "word", "Word", "word-word.", "x-approx.", "-dr.", "a.b", "a.b.", "http://a.b/c?d=e!f", "x@y.z", ".5", ",5",
]


def case(r, corpus):
    kind = r.randrange(6) if corpus else r.randrange(4)
    if kind >= 4:
        text = r.choice(corpus)
        start = r.randrange(len(text))
        text = text[start : start + r.randrange(1, 3000)]
        if kind == 5:
            chars = list(text)
            for _ in range(max(1, len(chars) // 20)):
                chars[r.randrange(len(chars))] = r.choice(PIECES)
            text = "".join(chars)
        return text
    joint = ["", " ", "", "\n"][kind] if r.random() < 0.7 else r.choice(PIECES)
    pieces = PIECES if r.random() < 0.5 else r.sample(PIECES, 12)
    return joint.join(r.choice(pieces) for _ in range(r.randrange(1, 40)))


def split(tokenizer, text):
    size = 1000000
    return [s for i in range(0, len(text), size) for s in tokenizer.tokenize(text[i : i + size])]


def cases(directory, seed, count, out, corpus):
    params = load(directory)
    plain = punkt.PunktSentenceTokenizer(params)
    keep = punkt.PunktSentenceTokenizer(params, lang_vars=KeepNewlines())
    r = random.Random(int(seed))
    corpus = [text for name in corpus for text in texts(name)]
    with open(out, "w", encoding="ascii") as f:
        for i in range(int(count)):
            text = EDGES[i] if i < len(EDGES) else case(r, corpus)
            f.write(json.dumps({"text": text, "sentences": split(plain, text), "kept": split(keep, text)}) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
    else:
        cases(*sys.argv[2:6], sys.argv[6:])
