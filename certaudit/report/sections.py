"""The fifteen sections of a report, in words and tables: what an assessor looks for, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from certaudit.exact import percent
from certaudit.io.files import CERTIFICATES
from certaudit.report.audited import Claim
from certaudit.report.blocks import (
    NOT_STATED,
    Banner,
    Basis,
    Block,
    Claims,
    Code,
    Column,
    Document,
    Fact,
    Facts,
    Figure,
    Items,
    Paragraph,
    Section,
    Table,
    spelled,
)
from certaudit.report.build import Report
from certaudit.report.drawing import (
    differences,
    draw_chain,
    draw_curve,
    reached,
    selected_radii,
)
from certaudit.report.subjects import Claimed, depth_of_radii, down, number, spell, up
from certaudit.report.summary import Curve, Refuted, Series, Subject

__all__ = ["document"]

_ROWS = 10_000
"""Claims in the table of a page: the most important ones."""
_CURVES = 6
"""Files whose curves are drawn: those that lose most. The JSON has all."""
_FLIPS = 12
"""Training rows of a counterexample that are listed; the JSON has all."""


def document(report: Report) -> Document:
    """Return a report ready to be set."""
    return _Pages(report).document()


class _Pages:
    """Turns a summary into sections; what belongs to one subject stands under its name."""

    def __init__(self, report: Report) -> None:
        self.report, self.summary = report, report.summary
        self.context = report.summary.context
        self.figures = 0
        self.several = len(report.summary.subjects) > 1

    def document(self) -> Document:
        """Return the whole."""
        told, makers = self.context.identification, self._makers()
        about = [subject.about for subject in self.summary.subjects]
        title = "Evidence report" + (f" {told.report}" if told.report else "")
        system = f"{told.system}: " if told.system else ""
        return Document(
            title=title,
            subtitle=system + "; ".join(about),
            version=self.summary.certaudit,
            date=told.date,
            responsible=told.responsible,
            banner=self._banner(),
            sections=tuple(
                Section(number, name, tuple(make()))
                for number, (name, make) in enumerate(makers, 1)
            ),
        )

    def _makers(self) -> list[tuple[str, Callable[[], Iterator[Block]]]]:
        return [
            ("Identification", self._identification),
            ("Scope and intended purpose", self._scope),
            ("Threat model", self._threat),
            ("Property and domain", self._domain),
            ("Theorems, assumptions, proof status", self._theorems),
            ("Method", self._method),
            ("Data and sampling", self._data),
            ("Results", self._results),
            ("Refuted claims and counterexamples", self._refuted),
            ("Budget of the adversary", self._budget),
            ("What is not covered", self._not_covered),
            ("Reproduction", self._reproduction),
            ("Clauses that this report supports", self._clauses),
            ("Integrity", self._integrity),
            ("Change log and validity", self._validity),
        ]

    def _banner(self) -> Banner:
        outcome, figures = self.summary.outcome, []
        counts = [subject.verdicts for subject in self.summary.subjects]
        total, confirmed = sum(c.claims for c in counts), sum(c.confirmed for c in counts)
        states = {depth_of_radii(subject) for subject in self.summary.subjects}
        basis = Basis("", "exact", "proved" if states == {"proved"} else "declared")
        figures.append(Fact("claims confirmed", f"{confirmed:,} of {total:,}", basis))
        wrong = sum(self._wrong())
        if wrong:
            figures.append(Fact("claims that say too much", f"{wrong:,}", basis))
        for subject in self.summary.subjects[:1]:
            figures += [
                fact
                for fact in subject.results
                if fact.name.startswith(("right and proven", "median", "certified accuracy"))
            ][-3:]
        for each in self.summary.thresholds[:1]:
            told = Basis("", "down", each.state)
            proven = percent(each.proven, each.of) if each.proven is not None and each.of else None
            name = f"proven at radius {each.radius} (asked for: {each.accuracy})"
            name += f", {each.subject}" if len(self.summary.thresholds) > 1 else ""
            figures.append(Fact(name, proven, told))
        if not self.summary.thresholds:
            figures.append(Fact("accuracy asked for", None))
        return Banner(outcome.state, outcome.headline, outcome.sentences, tuple(figures))

    def _wrong(self) -> list[int]:
        return [s.verdicts.refuted + s.verdicts.unsupported for s in self.summary.subjects]

    def _each(self, make: Callable[[Subject], Iterator[Block]]) -> Iterator[Block]:
        """Yield what there is to say of each subject, under its name where there are several."""
        for subject in self.summary.subjects:
            if self.several:
                yield Paragraph(f"{subject.name}: {subject.about}", "note")
            yield from make(subject)

    # 1 to 7: what it is about ------------------------------------------------------------------

    def _identification(self) -> Iterator[Block]:
        told = self.context.identification
        names = (
            ("report", told.report), ("date", told.date), ("system", told.system),
            ("model", told.model), ("operator", told.operator),
            ("responsible person", told.responsible),
        )  # fmt: skip
        yield Facts(tuple(Fact(*each) for each in names), "Stated by the issuer")
        if self.summary.context_file is not None:
            told_by = self.summary.context_file
            facts = (Fact(told_by.name, told_by.sha256, Basis("SHA-256", "exact", "proved")),)
            yield Facts(facts, "What the issuer states stands in")
        yield from self._each(self._inputs)

    def _inputs(self, subject: Subject) -> Iterator[Block]:
        yield Facts(subject.identification, "Run" if subject.kind == "run" else "Audit")
        columns = (Column("file"), Column("bytes", "number"), Column("SHA-256", "code"))
        rows = [(i.name, spell(i.bytes), i.sha256 or NOT_STATED) for i in subject.inputs]
        note = "Digests computed here."
        yield Table("Files that this report was made from", columns, tuple(rows), note)
        if subject.audited:
            audited = number(len(subject.audited), "audited file")
            yield Paragraph(f"Digests of {audited}: section 14.")

    def _scope(self) -> Iterator[Block]:
        told = self.context.scope
        names = (
            ("intended purpose", told.intended_purpose),
            ("out of scope", told.out_of_scope),
            ("who is affected", told.affected),
        )
        yield Facts(tuple(Fact(*each) for each in names), "Stated by the issuer")

    def _threat(self) -> Iterator[Block]:
        told = self.context.threat
        facts = (Fact("threat model", told.model), Fact("budget, and why", told.budget))
        yield Facts(facts, "Stated by the issuer")
        yield from self._each(self._adversary)

    def _adversary(self, subject: Subject) -> Iterator[Block]:
        for text in subject.adversary:
            yield Paragraph(text)

    def _domain(self) -> Iterator[Block]:
        yield from self._each(lambda subject: iter((Facts(subject.domain),)))

    def _theorems(self) -> Iterator[Block]:
        yield from self._each(self._assumptions)
        yield Paragraph(
            "Proof status: each entry under proofs/ has an argument and symbolic, exhaustive or "
            "property checks that the project's tests run, and is tied to the code it is about; "
            "no proof was checked by a proof assistant.",
            "note",
        )

    def _assumptions(self, subject: Subject) -> Iterator[Block]:
        columns = (Column("guarantee"), Column("theorem"), Column("source"), Column("proof"))
        rows = tuple((spelled(t.guarantee), t.statement, t.source, t.proof)
                     for t in subject.theorems)  # fmt: skip
        yield Table("What makes the guarantees true", columns, rows)
        taken = (Column("assumption"), Column("what is taken"), Column("state", "state"))
        states = tuple((a.what, a.value, str(a.state)) for a in subject.assumptions)
        note = (
            "What is assumed to read no training label. proved: derived from the data here; "
            "declared: the word of the files; failed: it reads them."
            if subject.kind == "run"
            else "declared: the word of the files."
        )
        yield Table("What is assumed", taken, states, note)

    def _method(self) -> Iterator[Block]:
        yield from self._each(lambda subject: iter((Facts(subject.method),)))

    def _data(self) -> Iterator[Block]:
        told = self.context.data
        facts = (Fact("origin", told.origin), Fact("how test points were chosen", told.selection))
        yield Facts(facts, "Stated by the issuer")
        yield from self._each(self._sampling)

    def _sampling(self, subject: Subject) -> Iterator[Block]:
        facts = subject.sampling or (Fact("votes behind a claim", None),)
        yield Facts(facts, "From the files")

    # 8 to 10: what was found ---------------------------------------------------------------------

    def _results(self) -> Iterator[Block]:
        pairs = zip(self.summary.subjects, self.report.claims, strict=True)
        for subject, claimed in pairs:
            if self.several:
                yield Paragraph(f"{subject.name}: {subject.about}", "note")
            yield _verdicts(subject)
            if subject.results:
                yield Facts(subject.results, "In figures")
            # A curve that is known at one radius is no curve.
            drawn = [curve for curve in subject.curves if len(selected_radii(curve)) > 1][:_CURVES]
            for curve in drawn:
                self.figures += 1
                yield _figure(curve, f"curve-{self.figures}")
            left = len(subject.curves) - len(drawn)
            if left > 0:
                yield Paragraph(
                    f"Curves of {left:,} more files are not drawn: they lose no more, or are known "
                    "at one radius only. The JSON of this report has all."
                )
            if subject.worst:
                yield _worst(subject)
            if subject.files:
                yield _files(subject)
            if subject.findings:
                yield _findings(subject)
            yield _claims(claimed)

    def _refuted(self) -> Iterator[Block]:
        claims = any(subject.verdicts.claims for subject in self.summary.subjects)
        if not any(subject.refuted for subject in self.summary.subjects):
            told = "No claim is refuted: none was shown to be false."
            yield Paragraph(told if claims else "There are no claims.")
            if any(self._wrong()):
                yield Paragraph(
                    "Unsupported claims (section 8) say more than the evidence proves; that does "
                    "not show that they are false."
                )
        for subject in self.summary.subjects:
            if subject.refuted:
                yield _refuted(subject)

    def _budget(self) -> Iterator[Block]:
        told = self.context.policy
        names = (
            ("radius asked for", told.radius), ("certified accuracy asked for", told.accuracy),
            ("fixed on", told.fixed_on), ("reason", told.reason),
        )  # fmt: skip
        yield Facts(tuple(Fact(*each) for each in names), "Stated by the issuer")
        if self.summary.thresholds:
            columns = (
                Column("of"), Column("radius", "number"), Column("unit"), Column("asked for"),
                Column("claimed", "number"), Column("proven", "number"), Column("points", "number"),
                Column("state", "state"),
            )  # fmt: skip
            rows = tuple(
                (t.subject, t.radius, t.unit, t.accuracy, spell(t.claimed), spell(t.proven),
                 spell(t.of), t.state)
                for t in self.summary.thresholds
            )  # fmt: skip
            note = (
                "Rows that are right and reach the radius; proven: at least so many. Where it is "
                "not known which rows are right, nothing is met."
            )
            yield Claims("Asked for, claimed, proven", columns, rows, len(rows), note)
        for subject in self.summary.subjects:
            for curve in subject.curves[:1]:
                yield _table(curve, f"How many points an adversary leaves: {curve.title}")

    # 11 to 15 ------------------------------------------------------------------------------------

    def _not_covered(self) -> Iterator[Block]:
        yield from self._each(self._uncovered)

    def _uncovered(self, subject: Subject) -> Iterator[Block]:
        yield Items(subject.not_covered)
        if subject.unread:
            rows = tuple((each,) for each in subject.unread)
            note = "Not audited: nothing is said of them."
            yield Claims("Files that were not read", (Column("file and reason"),), rows, len(rows),
                         note)  # fmt: skip

    def _reproduction(self) -> Iterator[Block]:
        yield from self._each(self._commands)
        facts = tuple(Fact(name, value) for name, value in self.summary.environment.items())
        yield Facts(facts, "This report was made with")

    def _commands(self, subject: Subject) -> Iterator[Block]:
        if subject.commands:
            yield Code("\n".join(subject.commands))
        else:
            yield Facts((Fact("command", None),))
        if subject.environment:
            yield Facts(subject.environment, "The run was made with")

    def _clauses(self) -> Iterator[Block]:
        columns = (
            Column("document"), Column("clause"), Column("what it asks"),
            Column("supported by"), Column("missing"),
        )  # fmt: skip
        rows = tuple((c.document, c.clause, c.about, f"supports: {c.supports}", c.missing)
                     for c in self.summary.clauses)  # fmt: skip
        note = "To support a clause is less than to conform to it, which no report can decide."
        yield Table("Clauses", columns, rows, note)

    def _integrity(self) -> Iterator[Block]:
        yield from self._each(self._chain)
        for subject in self.summary.subjects:
            if subject.remarks:
                yield Items(subject.remarks)
        yield Paragraph(
            "This report itself is not signed. Whoever answers for it signs its file, "
            "and whoever doubts it makes it again: the same files give the same bytes.",
            "note",
        )

    def _chain(self, subject: Subject) -> Iterator[Block]:
        words = "; ".join(f"{link.name}: {link.state}" for link in subject.chain)
        columns = (Column("link"), Column("state", "state"), Column("what it rests on"))
        rows = tuple((link.name, link.state, link.detail) for link in subject.chain)
        table = Table("The chain in words", columns, rows)
        yield Figure(
            f"chain-{self.summary.subjects.index(subject)}",
            "From the data to the signature, and how far each link was checked",
            draw_chain(subject.chain),
            f"A chain of {len(subject.chain)} links. {words}.",
            table,
        )
        columns = (Column("step"), Column("state", "state"), Column("what was seen"))
        rows = tuple((check.step, check.state, check.detail) for check in subject.checks)
        note = "proved: done here; not checked: neither confirmed nor denied."
        yield Table("Every step of the verification", columns, rows, note)
        if subject.audited:
            digests = (Column("file"), Column("bytes", "number"), Column("SHA-256", "code"))
            files = tuple((i.name, spell(i.bytes), i.sha256 or NOT_STATED) for i in subject.audited)
            note = "Digests as the audit says: declared."
            yield Claims("Files that were audited", digests, files, len(files), note)

    def _validity(self) -> Iterator[Block]:
        told = self.context.validity
        facts = [Fact("valid until", told.valid_until)]
        if not told.changes:
            facts.append(Fact("changes since the report before", None))
        yield Facts(tuple(facts), "Stated by the issuer")
        if told.changes:
            yield Paragraph("Changes since the report before:")
            yield Items(told.changes)
        yield Paragraph(
            "It is about these files only: with other data, another ridge, other labels or another "
            "model it says nothing."
        )


# Tables --------------------------------------------------------------------------------------


def _verdicts(subject: Subject) -> Block:
    counts, rows, none = subject.verdicts, [], []
    for name in ("confirmed", "refuted", "unsupported", "inconclusive", "malformed"):
        found = getattr(counts, name)
        if found or name == "confirmed":
            up_ = name != "confirmed"
            told = percent(found, counts.claims, up=up_) if counts.claims else ""
            rows.append((name, f"{found:,}", told))
        else:
            none.append(name)
    note = (
        f"{counts.claims:,} claims, none of them {' or '.join(none)}"
        if none
        else (f"{counts.claims:,} claims")
    )
    if counts.abstained:
        note += f"; {counts.abstained:,} rows abstain, and claim nothing"
    if counts.by_cause:
        causes = ", ".join(f"{cause} {number:,}" for cause, number in counts.by_cause.items())
        note += f". Causes of those that are not confirmed: {causes}"
    columns = (Column("verdict", "state"), Column("claims", "number"), Column("share", "number"))
    return Table(
        "Verdicts",
        columns,
        tuple(rows),
        note + ". Shares: of confirmed ones rounded down, of others up.",
    )


def _worst(subject: Subject) -> Block:
    columns = (
        Column("file"), Column("line", "number"), Column("index", "number"),
        Column("verdict", "state"), Column("claimed", "number"), Column("proven", "number"),
        Column("too much by", "number"), Column("cause"),
    )  # fmt: skip
    rows = tuple(
        (w.file, str(w.line), w.index, w.verdict, w.claimed, w.proven, w.excess, w.cause)
        for w in subject.worst
    )
    note = "Claimed as printed; proven rounded down; too much by: rounded up, an upper bound."
    return Table("The worst overclaims", columns, rows, note)


def _files(subject: Subject) -> Block:
    columns = (
        Column("file"), Column("claims", "number"), Column("confirmed", "number"),
        Column("refuted", "number"), Column("unsupported", "number"),
        Column("open", "number"), Column("lost", "number"), Column("at worst", "number"),
        Column("parameters"),
    )  # fmt: skip
    rows = tuple(
        (
            f.file, str(f.verdicts.claims), str(f.verdicts.confirmed), str(f.verdicts.refuted),
            str(f.verdicts.unsupported), str(f.verdicts.inconclusive + f.verdicts.malformed),
            percent(f.lost, f.rows, up=True).removesuffix(" %") if f.rows else "",
            percent(f.lost_anywhere, f.rows, up=True).removesuffix(" %") if f.rows else "",
            f.parameters,
        )
        for f in subject.files
    )  # fmt: skip
    note = (
        "Lost: certified accuracy claimed less proven, in percentage points, at the worst of the "
        "radii 0, 0.25, 0.5, ... (0, 1, 2, 5, ... flips); at worst: at any radius. Rounded up."
    )
    return Claims("By file, those that lose most first", columns, rows, len(rows), note)


def _findings(subject: Subject) -> Block:
    columns = (Column("code", "code"), Column("finding"), Column("rows", "number"),
               Column("first seen"), Column("what was seen there"))  # fmt: skip
    rows = tuple(
        (f.code, f.name, str(f.rows) if f.rows else "", f.file, f.message) for f in subject.findings
    )
    return Table("Findings", columns, rows, "`certaudit explain CODE` says what each means.")


def _claims(claimed: Claimed) -> Block:
    columns = (
        Column("file"), Column("line", "number"), Column("index", "number"),
        Column("verdict", "state"), Column("claimed", "number"), Column("proven", "number"),
        Column("too much by", "number"), Column("why"),
    )  # fmt: skip
    rows = tuple(_row(claim) for claim in claimed.claims[:_ROWS])
    note = "Claimed as printed, proven rounded down, too much by rounded up."
    if claimed.total > _ROWS:
        left = claimed.total - _ROWS
        note = (
            f"The {_ROWS:,} most important of {claimed.total:,} rows, what is false first; "
            f"{left:,} more are in {claimed.name}. " + note
        )
    return Claims("Every claim", columns, rows, claimed.total, note)


def _row(claim: Claim) -> tuple[str, ...]:
    excess = up(claim.excess.absolute) if claim.excess is not None else ""
    why = ": ".join(word for word in (claim.cause, claim.reason) if word)
    name = claim.file.removeprefix(f"{CERTIFICATES} ")  # of a run: which guarantee
    if claim.evidence is not None and claim.verdict == "confirmed":
        known = claim.evidence
        end = (
            "nothing refutes more"
            if known.refuted_at is None
            else (f"refuted at {known.refuted_at}")
        )
        why = f"proved {known.proved}, {end}"
    return (
        spelled(name.strip("[]")) if name != claim.file else name,
        str(claim.line), spell(claim.index), claim.verdict, spell(claim.says),
        down(claim.holds), excess, why,
    )  # fmt: skip


def _refuted(subject: Subject) -> Block:
    columns = (
        Column("file"), Column("line", "number"), Column("index", "number"),
        Column("claimed", "number"), Column("flips that refute it", "number"),
        Column("smallest"), Column("why, and training rows to flip"),
    )  # fmt: skip
    rows = tuple(_refutation(each) for each in subject.refuted)
    total = len(rows) + subject.refuted_left_out
    note = (
        "Smallest: yes where it is proven that no fewer flips change the vote. The JSON of this "
        "report lists all training rows of each."
    )
    if subject.refuted_left_out:
        note += f" {subject.refuted_left_out:,} more refuted claims are in {subject.name}."
    return Claims(f"What is false, and what shows it: {subject.name}", columns, rows, total, note)


def _refutation(each: Refuted) -> tuple[str, ...]:
    shown = each.counterexample
    if shown is None:
        return (each.file, str(each.line), each.index, each.claimed, "", "", each.reason)
    listed = ", ".join(map(str, shown.training_rows[:_FLIPS]))
    if len(shown.training_rows) > _FLIPS:
        listed += f" and {len(shown.training_rows) - _FLIPS} more"
    smallest = "yes" if shown.smallest else "not known"
    why = f"{each.reason}: {listed}" if listed else each.reason
    return (each.file, str(each.line), each.index, each.claimed, str(shown.flips), smallest, why)


# Curves ----------------------------------------------------------------------------------------


def _figure(curve: Curve, name: str) -> Figure:
    """Return a curve with the numbers behind it."""
    words = "; ".join(_described(series, curve) for series in curve.series)
    lost = max((count for _, rows in differences(curve) for _, count in rows), default=0)
    where = "" if curve.whole else " at the radii counted"
    alt = f"{curve.what} against {curve.unit}, of {curve.of:,}. {words}. "
    alt += f"Claimed less proven is at most {lost:,}{where}."
    caption = f"Certified accuracy, claimed against proven: {curve.title}"
    return Figure(name, caption, draw_curve(curve), alt, _table(curve, "The numbers behind it"))


def _described(series: Series, curve: Curve) -> str:
    first = series.points[0].count if series.points else 0
    name = spelled(series.guarantee)
    end = next((p.radius for p in reversed(series.points) if p.count), 0)
    return f"{name}, {series.name}: {first:,} of {curve.of:,} at 0, the last at {down(end)}"


def _table(curve: Curve, caption: str) -> Table:
    """Return how many points reach some radii: of a curve that is not whole, where it is known."""
    columns = [Column(curve.unit, "number")]
    if curve.of_training:
        columns.append(Column("of training set", "number"))
    shown = _shown(curve)
    columns += [Column(name, "number") for name, _ in shown]
    rows = []
    for radius in selected_radii(curve):
        row = [down(radius)]  # what reaches a radius reaches every smaller one
        if curve.of_training:
            row.append(percent(int(radius), curve.of_training))
        for _, series in shown:
            row.append(str(reached(series.points, radius, whole=curve.whole)[0]))
        rows.append(tuple(row))
    sides = {f"{name}: {Basis('', series.side, series.depth)}" for name, series in shown}
    note = f"Of {curve.of:,}. " + "; ".join(sorted(sides)) + "."
    return Table(caption, tuple(columns), tuple(rows), note)


def _shown(curve: Curve) -> list[tuple[str, Series]]:
    """Return the columns of a curve's table: one where what is claimed is proven."""
    known = {(series.guarantee, series.name): series for series in curve.series}
    found = []
    for (guarantee, name), series in known.items():
        proven = known.get((guarantee, "proven"))
        if name == "claimed" and proven is not None and proven.points == series.points:
            continue
        if name == "under attack":
            found.append(("left by the worst flips", series))
        else:
            found.append((f"{spelled(guarantee)}, {name}", series))
    return found
