// SPDX-License-Identifier: Apache-2.0

package view

import (
	"maps"
	"slices"
	"strings"

	"beltrace/collector/model"
)

// HeaderLeft says what is watched: a title ("": none), host, kernel, tier, what is watched beside connections, and
// filters. In a narrow width (0: no limit) the sets of probes, then the host, then our own name, then the end of the title
// give way to the rest.
func HeaderLeft(s *model.Snapshot, title string, width int) Line {
	name, host, what := "beltrace", Clean(s.Host), Clean(title)
	rest := Line{{Text: kernelName(s)}, {Text: Clean(s.Tier)}, {moreSets(s), Dim}, {Clean(strings.Join(s.Filters, " ")), Accent}}
	all := func() Line { return spaced(append(Line{{name, Accent}, {what, Strong}, {host, Strong}}, rest...)) }
	if width > 0 && all().Width() > width {
		rest[2].Text = ""
	}
	if width > 0 && all().Width() > width {
		host = ""
	}
	if width > 0 && what != "" && all().Width() > width {
		name = ""
	}
	if over := all().Width() - width; width > 0 && over > 0 {
		what = Truncate(what, max(12, Width(what)-over)) // a long command must not hide the tier
	}
	return all()
}

// moreSets names the sets of probes that are attached beside the one that always is.
func moreSets(s *model.Snapshot) string {
	var out []string
	for _, set := range s.Sets {
		if set != "lifecycle" && set != "marks" {
			out = append(out, "+"+Clean(set))
		}
	}
	return strings.Join(out, " ")
}

func kernelName(s *model.Snapshot) string {
	if s.Kernel == "" {
		return ""
	}
	return "linux " + shortKernel(s.Kernel)
}

// spaced puts a gap between the parts that are not empty.
func spaced(parts Line) (out Line) {
	for _, s := range parts {
		if s.Text == "" {
			continue
		}
		if len(out) > 0 {
			out = append(out, Span{Text: "  "})
		}
		out = append(out, s)
	}
	return out
}

// HeaderRight says how the watching goes: events per second, what was lost, and what it costs.
func HeaderRight(s *model.Snapshot) Line {
	l := Line{{Rate(s.EventsPerSec) + " ev/s", Normal}}
	if s.Sampling > 1 {
		l = append(l, Span{"  sampling 1 in " + Count(uint64(s.Sampling)), Accent})
	}
	lost := Lost(s)
	style := Dim
	if lost > 0 {
		style = Bad
	}
	l = append(l, Span{"  lost " + Count(lost), style})
	cost := "  cost " + None
	if s.Cost.Known {
		cost = "  cost ≈" + Share(s.Cost.V.HooksCPU+s.Cost.V.SelfCPU)
	}
	return append(l, Span{cost, Dim})
}

// Lost returns how many events were lost, over all places. What is left out of a sample on purpose is not lost.
func Lost(s *model.Snapshot) uint64 {
	var n uint64
	for where, c := range s.Lost {
		if where != "sample" {
			n += c
		}
	}
	return n
}

// LostText names the places where events were lost, or returns "".
func LostText(s *model.Snapshot) string {
	var parts []string
	for _, where := range slices.Sorted(maps.Keys(s.Lost)) {
		if n := s.Lost[where]; n > 0 {
			parts = append(parts, Count(n)+" "+lossName(where))
		}
	}
	return strings.Join(parts, ", ")
}

// lossName says where events were lost.
func lossName(where string) string {
	switch where {
	case "ring":
		return "because the ring buffer was full"
	case "map":
		return "because a kernel map was full"
	case "missed":
		return "because a hook was busy"
	case "order":
		return "because they came too late"
	case "sample":
		return "turns of connections that are not in the sample"
	case "evicted":
		return "evicted from the memory budget"
	}
	return "at " + Clean(where)
}

// shortKernel cuts a kernel release to its first two numbers.
func shortKernel(release string) string {
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 {
		return Clean(release)
	}
	minor := parts[1]
	if i := strings.IndexFunc(minor, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		minor = minor[:i]
	}
	return Clean(parts[0] + "." + minor)
}

// Sides puts left and right on one line of width cells; the right side stays whole, the left one is cut.
func Sides(left, right Line, width int) Line {
	r := right.Width()
	if r >= width {
		return right.Fit(width)
	}
	return append(left.Pad(width-r-1, Left), append(Line{{Text: " "}}, right...)...)
}
