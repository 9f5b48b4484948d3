// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/model"
)

func acceptorSection(d *Detail, in Input, l *model.Listener, width int) {
	d.section("ACCEPTORS")
	if len(l.Acceptors) == 0 {
		d.add(Styled("no thread was seen to call accept", Dim))
	}
	all := l.OtherAcceptors.Accepts
	for _, a := range l.Acceptors {
		all += a.Accepts
	}
	for i := range l.Acceptors {
		a := &l.Acceptors[i]
		line := Line{{pad(Clean(a.Comm), factName+1), Strong}, {fmt.Sprintf("tid %-8d", a.TID), Normal}, {fmt.Sprintf("%8s", Count(a.Accepts)), Strong}, {" accepts", Dim}}
		if all > 0 && len(l.Acceptors) > 1 {
			share := float64(a.Accepts) / float64(all)
			line = append(line, Span{"  " + Bar(share, 10) + " " + Share(share), Normal})
		}
		if key := (Key{Kind: WorkerRecord, ID: uint64(a.TID), Name: fmt.Sprint(a.PID)}); findWorker(in.Snap, key) != nil {
			d.link(line, key)
		} else {
			d.add(line)
		}
		if text := errorsText(a); text != "" {
			d.add(Styled("  failed: "+text, Warning))
		}
		if text := between(a); text != "" {
			for _, line := range Wrap("between accepts: "+text, width-3) {
				d.add(Styled("  "+line, Normal))
			}
		}
	}
	if l.OtherAcceptors.Threads > 0 {
		d.add(Plain(otherAcceptors(l)))
	}
}

// otherAcceptors says what the threads did that are not listed.
func otherAcceptors(l *model.Listener) string {
	o := &l.OtherAcceptors
	text := Plural(int(o.Threads), "other", "others") + ", not listed: " + Plural(int(o.Accepts), "accept", "accepts")
	if failed := errorsText(&model.Acceptor{Errors: o.Errors}); failed != "" {
		text += "; failed: " + failed
	}
	return text
}

// errorsText says how often the thread's accepts failed, and how many descriptors its process has; "" if they did not.
func errorsText(a *model.Acceptor) string {
	var parts []string
	for _, errno := range sortedKeys(a.Errors) {
		parts = append(parts, Count(a.Errors[errno])+" "+Clean(errno))
	}
	switch {
	case a.OpenFDs.Known && a.FDLimit.Known:
		parts = append(parts, fmt.Sprintf("%d of %d descriptors open", a.OpenFDs.V, a.FDLimit.V))
	case a.OpenFDs.Known:
		parts = append(parts, fmt.Sprintf("%d descriptors open", a.OpenFDs.V))
	}
	return strings.Join(parts, ", ")
}

// between says what the thread does between two accepts while connections wait, the longest first, and how long; where that is
// not known, how it spends its time at all. "" where its scheduling is not watched.
func between(a *model.Acceptor) string {
	t, paced := a.Between.V, a.Pace.Known()
	if paced {
		t = a.Pace.Times
	}
	if !a.Between.Known && !paced || t.WatchedNS <= 0 {
		return ""
	}
	type part struct {
		what string
		ns   int64
	}
	parts := []part{{"running", t.RunningNS}, {"run queue", t.RunqueueNS}}
	for _, in := range sortedKeys(t.BlockedNS) {
		parts = append(parts, part{Clean(in), t.BlockedNS[in]})
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(b.ns, a.ns) })
	var out []string
	for _, p := range parts[:min(len(parts), betweenParts)] {
		if p.ns <= 0 {
			continue
		}
		text := p.what
		if paced {
			text += " " + Dur(a.Pace.Each(p.ns))
		}
		out = append(out, text+" ("+Share(float64(p.ns)/float64(t.WatchedNS))+")")
	}
	return strings.Join(out, ", ")
}

// betweenParts is how many ways in which a thread spends its time are named.
const betweenParts = 4
