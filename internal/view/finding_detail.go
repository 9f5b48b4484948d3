// SPDX-License-Identifier: Apache-2.0

package view

import (
	"strings"

	"beltrace/collector/model"
)

// openFinding shows a finding with its numbers, what the kernel does, and what to change.
func openFinding(in Input, f *model.Finding, width int) *Detail {
	d := &Detail{Title: Line{{severityMark(f) + " " + Clean(f.ID), findingStyle(f, Strong)}, {"  " + Clean(f.Subject), Strong}, {"  " + findingWhen(in, f), Dim}}}
	for _, text := range Wrap(Clean(f.Text), width-1) {
		d.add(Plain(text))
	}
	if l := findListener(in.Snap, f.Listener.V); f.Listener.Known && l != nil {
		d.link(Line{{"→ ", Accent}, {"the listener " + listenerTitle(l), Normal}, {"  Enter opens it", Dim}}, listenerKey(l))
	}
	if r := ringOf(in.Snap, f); r != nil {
		d.link(Line{{"→ ", Accent}, {"the ring " + Clean(f.Subject), Normal}, {"  Enter opens it", Dim}}, ringKey(ringRow{Ring: r}))
	}
	if l := loopOf(in.Snap, f); l != nil {
		d.link(Line{{"→ ", Accent}, {"the event loop " + Clean(f.Subject), Normal}, {"  Enter opens it", Dim}}, keyOfLoop(l))
	}
	section := func(title, text string) {
		if text == "" {
			return
		}
		d.section(title)
		for _, line := range Wrap(Clean(text), width-1) {
			d.add(Plain(line))
		}
	}
	section("WHAT THE KERNEL DOES", f.Mechanism)
	section("WHAT TO CHANGE", f.Remedy)
	if len(f.Numbers) > 0 {
		d.section("NUMBERS")
	}
	longest := 0
	for name := range f.Numbers {
		title, _ := number(name, 0)
		longest = max(longest, Width(title))
	}
	for _, name := range sortedKeys(f.Numbers) {
		title, value := number(name, f.Numbers[name])
		d.add(Line{{pad(title, longest+2), Dim}, {value, Strong}})
	}
	return d
}

// findingWhen says since when it holds, or from when to when it held.
func findingWhen(in Input, f *model.Finding) string {
	c := in.clock()
	if f.Until.Known {
		return "from " + c.Time(f.Since) + " to " + c.Time(f.Until.V)
	}
	return "since " + c.Time(f.Since) + ", for " + Dur(in.Snap.TS-f.Since)
}

func listenerTitle(l *model.Listener) string { return comm(l.Process) + " " + l.Local }

// number puts a finding's number into words; its unit is in its name: _ns, _per_s, _share, _s, _10s.
func number(name string, v float64) (title, value string) {
	words := func(suffix string) string { return strings.ReplaceAll(strings.TrimSuffix(name, suffix), "_", " ") }
	switch {
	case strings.HasSuffix(name, "_per_s"):
		return words("_per_s"), Rate(v) + "/s"
	case strings.HasSuffix(name, "_ns"):
		return words("_ns"), Dur(int64(v))
	case strings.HasSuffix(name, "share"):
		return words(""), Share(v)
	case strings.HasSuffix(name, "_10s"):
		return words("_10s") + " in the last 10 s", Count(uint64(v))
	case strings.HasSuffix(name, "_5s"):
		return words("_5s") + " in the last 5 s", Count(uint64(v))
	case strings.HasSuffix(name, "_s"):
		return words("_s"), Dur(int64(v * 1e9))
	}
	return words(""), Count(uint64(v + 0.5))
}
