// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"beltrace/collector/model"
)

// maxEnded is how many findings that have ended are remembered.
const maxEnded = 100

// Kinds of subjects.
const (
	listenerSubject = iota // by cookie
	spaceSubject           // by the number of the network namespace
	loopSubject            // by thread and descriptor
	ringSubject            // by process and number
)

// key names what a rule was applied to.
type key struct {
	rule int // index into rules
	kind int
	id   uint64
}

// found is what a rule says about one subject now.
type found struct {
	key
	model.Finding
	weight float64
	then   string // the text once it no longer holds; "": the same
}

// hold returns how long its evidence must last before it is told.
func (f *found) hold() time.Duration {
	if f.kind == spaceSubject {
		return spaceHold
	}
	return rules[f.rule].hold
}

// entry is a finding that holds, or one whose evidence is there but not for long enough.
type entry struct {
	model.Finding
	told  bool
	turns int64  // since when its evidence is of another severity than is told; 0: it is not
	then  string // the text once the evidence is gone
	last  int64  // when the evidence was last there
	worst model.Finding
	at    float64 // weight of the worst
}

// book is what the rules found so far.
type book struct {
	open  map[key]entry
	ended []model.Finding // oldest first
}

func (b *book) clone() *book {
	return &book{maps.Clone(b.open), slices.Clone(b.ended)}
}

// update takes what holds at now, and reports whether there is, or was, anything.
func (b *book) update(now int64, all []found) bool {
	if b.open == nil {
		b.open = map[key]entry{}
	}
	changed := len(all) > 0 || len(b.open) > 0
	for _, f := range all {
		b.take(now, f)
	}
	for k, e := range b.open {
		switch {
		case e.last == now:
		case !e.told:
			delete(b.open, k)
		case now-e.last >= int64(keep), b.cameTrue(k):
			delete(b.open, k)
			b.end(e)
		default:
			e.Text = e.then
			b.open[k] = e
		}
	}
	return changed
}

// stands reports whether that is told now.
func (b *book) stands(k key) standing { return standing(b.open[k].told) }

// cameTrue reports whether what a finding foretells holds.
func (b *book) cameTrue(k key) bool {
	k.rule = place(rules[k.rule].foretells)
	_, ok := b.open[k]
	return ok
}

// take renews a finding, or begins one.
func (b *book) take(now int64, f found) {
	e, ok := b.open[f.key]
	if e.told && f.Severity != e.Severity { // that is as good as another finding
		if e.turns = cmp.Or(e.turns, now); now-e.turns < int64(f.hold()) {
			e.last = now
			b.open[f.key] = e
			return
		}
	}
	since := e.Since
	if !ok {
		since = cmp.Or(min(f.Since, now), now)
	}
	e.Finding, e.last, e.turns, e.then = f.Finding, now, 0, cmp.Or(f.then, f.Text)
	e.Since = since
	if !ok || f.weight >= e.at {
		e.worst, e.at = e.Finding, f.weight
		e.worst.Text = e.then
	}
	e.told = e.told || now-since >= int64(f.hold())
	b.open[f.key] = e
}

func (b *book) end(e entry) {
	f := e.worst
	f.Until = model.Some(e.last)
	b.ended = append(b.ended, f)
	// The order of a map's keys is random; that of what ended at once must not be.
	slices.SortStableFunc(b.ended, func(a, b model.Finding) int { return cmp.Compare(a.Until.V, b.Until.V) })
	if len(b.ended) > maxEnded {
		b.ended = slices.Clone(b.ended[1:])
	}
}

// list returns what holds, the worst and then the oldest first, then what has ended, the last first.
func (b *book) list() []model.Finding {
	out := make([]model.Finding, 0, len(b.open)+len(b.ended))
	for _, e := range b.open {
		if e.told {
			out = append(out, e.Finding)
		}
	}
	slices.SortFunc(out, compare)
	old := slices.Clone(b.ended)
	slices.SortFunc(old, func(a, b model.Finding) int { return cmp.Or(cmp.Compare(b.Until.V, a.Until.V), compare(a, b)) })
	return append(out, old...)
}

// compare orders findings so that no two are equal: the same rule may find something at two listeners of one name.
func compare(a, b model.Finding) int {
	return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(a.Since, b.Since),
		cmp.Compare(place(a.ID), place(b.ID)), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Listener.V, b.Listener.V))
}

func rank(severity string) int {
	return slices.Index([]string{model.Critical, model.Warning, model.Note}, severity)
}

func place(id string) int { return slices.IndexFunc(rules, func(r rule) bool { return r.id == id }) }
