// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/event"
)

// dropWords says what was refused, why, and how full the queues were.
func dropWords(e *event.Event) string {
	what := map[string]string{event.StageSYN: "SYN", event.StageACK: "final ACK"}[e.Stage]
	out := []string{times(e) + cmp.Or(what, "SYN or ACK") + " refused"}
	if e.Known(event.FieldReason) {
		out[0] += ": " + word(e, event.FieldReason)
	}
	if e.Known(event.FieldDropReason) {
		out = append(out, Clean(e.DropReason))
	}
	for _, f := range []event.Field{event.FieldSYNQueue, event.FieldAcceptQueue} {
		if e.Known(f) {
			out = append(out, word(e, f))
		}
	}
	return strings.Join(out, "  ")
}

// times writes how many one event stands for: "31 × ", or nothing for one.
func times(e *event.Event) string {
	if !e.Known(event.FieldCount) || e.Count == 1 {
		return ""
	}
	return Count(e.Count) + " × "
}

func acceptErrorWords(e *event.Event) string {
	out := times(e) + "accept failed"
	if e.Known(event.FieldErrno) {
		out = times(e) + event.ErrnoName(e.Errno)
	}
	switch {
	case e.Known(event.FieldOpenFDs) && e.Known(event.FieldFDLimit):
		out += fmt.Sprintf("  %d of %d descriptors open", e.OpenFDs, e.FDLimit)
	case e.Known(event.FieldOpenFDs):
		out += fmt.Sprintf("  %d descriptors open", e.OpenFDs)
	}
	return out
}

// spaceWords says which namespace it is, and what its counters and settings are: the counters that are not 0.
func spaceWords(e *event.Event) string {
	out := []string{"netns " + netns(e.NetNS)}
	if e.Space == nil {
		return out[0]
	}
	s := e.Space
	for _, v := range []struct {
		field   event.Field
		name    string
		n       uint64
		setting bool
	}{
		{event.FieldListenOverflows, "overflows", s.ListenOverflows, false}, {event.FieldListenDrops, "drops", s.ListenDrops, false},
		{event.FieldReqQFullDrop, "SYN queue full", s.ReqQFullDrop, false}, {event.FieldReqQFullDoCookies, "full, cookie", s.ReqQFullDoCookies, false},
		{event.FieldSyncookiesSent, "cookies sent", s.SyncookiesSent, false}, {event.FieldSyncookiesRecv, "back", s.SyncookiesRecv, false},
		{event.FieldSyncookiesFailed, "wrong", s.SyncookiesFailed, false}, {event.FieldEmbryonicRsts, "RST before established", s.EmbryonicRsts, false},
		{event.FieldSomaxConn, "somaxconn", s.SomaxConn, true}, {event.FieldMaxSYNBacklog, "tcp_max_syn_backlog", s.MaxSYNBacklog, true},
		{event.FieldSYNCookies, "tcp_syncookies", s.SYNCookies, true}, {event.FieldAbortOnOverflow, "abort_on_overflow", s.AbortOnOverflow, true},
	} {
		if e.Known(v.field) && (v.setting || v.n > 0) {
			out = append(out, fmt.Sprintf("%s %d", v.name, v.n))
		}
	}
	return strings.Join(out, "  ")
}

// threadWords says how a thread spent its time, in percent, what it is blocked in most first.
func threadWords(e *event.Event) string {
	out := []string{fmt.Sprintf("tid %d", e.TID)}
	t := e.Thread
	if t == nil || t.WatchedNS <= 0 {
		return out[0]
	}
	share := func(ns int64) string { return Share(float64(ns) / float64(t.WatchedNS)) }
	out = append(out, "of "+Dur(t.WatchedNS)+" running "+share(t.RunningNS), "run queue "+share(t.RunqueueNS))
	names := sortedKeys(t.BlockedNS)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(t.BlockedNS[b], t.BlockedNS[a]) })
	for i, in := range names {
		if i == 3 { // the rest would make the line longer and say little
			out = append(out, "…")
			break
		}
		out = append(out, Clean(in)+" "+share(t.BlockedNS[in]))
	}
	return strings.Join(out, "  ")
}
