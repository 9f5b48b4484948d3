// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"net/netip"
	"strings"

	"beltrace/collector/event"
)

// Widths of the columns of a trace line. Longer text pushes the rest of its own line to the right and nothing else.
const (
	traceTime  = 12
	traceEvent = 11
	tracePID   = 7
	traceComm  = 15
	traceAddr  = 21 // 255.255.255.255:65535
)

// TraceHeader returns the titles above trace lines of that clock.
func TraceHeader(c Clock) string {
	return strings.TrimRight(traceColumns(pad("TIME", Width(c.Time(c.Start))), "EVENT", "PID", "COMM", "LOCAL", " ", "REMOTE", "WHAT"), " ")
}

// TraceLine returns an event as a line for people.
func TraceLine(e *event.Event, c Clock) string {
	pid, name := None, None
	if e.Known(event.FieldPID) {
		pid = fmt.Sprint(e.PID)
	}
	if e.Known(event.FieldComm) {
		name = Clean(e.Comm)
	}
	line := traceColumns(c.Time(e.TS), e.Kind.String(), pid, name, traceLocal(e), arrow(e), addrPort(e.Remote, e.Known(event.FieldRemote)), What(e))
	return strings.TrimRight(line, " ")
}

func traceColumns(at, kind, pid, name, local, arrow, remote, what string) string {
	return strings.Join([]string{pad(at, traceTime), pad(kind, traceEvent), strings.Repeat(" ", max(0, tracePID-Width(pid))) + pid,
		pad(name, traceComm), pad(local, traceAddr), arrow, pad(remote, traceAddr), what}, "  ")
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-Width(s)))
}

// traceLocal is the socket's own address; events of a listener have it as their listener.
func traceLocal(e *event.Event) string {
	if !e.Known(event.FieldLocal) && e.Known(event.FieldListener) {
		return e.Listener.String()
	}
	return addrPort(e.Local, e.Known(event.FieldLocal))
}

func addrPort(a netip.AddrPort, known bool) string {
	if !known {
		return None
	}
	return a.String()
}

func arrow(e *event.Event) string {
	switch {
	case !e.Known(event.FieldRole):
		return " "
	case e.Role == event.RoleClient:
		return "→"
	}
	return "←"
}

// What returns the facts that belong to an event, in words.
func What(e *event.Event) string {
	switch e.Kind {
	case event.Lost:
		return lostWords(e)
	case event.SYNDrop:
		return dropWords(e)
	case event.AcceptError:
		return acceptErrorWords(e)
	case event.AcceptEmpty:
		return times(e) + "nobody to accept"
	case event.NetNS:
		return spaceWords(e)
	case event.Thread:
		return threadWords(e)
	case event.UringSubmit, event.UringComplete:
		return operationWords(e)
	case event.Ring:
		return ringWords(e)
	case event.EpollWait:
		return waitWords(e)
	case event.Loop:
		return loopWords(e)
	case event.LoopBlocked:
		return loopBlockedWords(e)
	case event.Readable, event.Read, event.Write, event.Turn:
		return bytesWords(e)
	case event.Offcpu, event.Oncpu:
		return sleepWords(e)
	case event.Exchange:
		return exchangeWords(e)
	}
	var out []string
	for _, f := range e.Kind.Own() {
		if e.Known(f) {
			if w := word(e, f); w != "" {
				out = append(out, w)
			}
		}
	}
	return strings.Join(out, "  ")
}

// word says one fact; "" where another one says it already.
func word(e *event.Event, f event.Field) string {
	switch f {
	case event.FieldHandshakeNS:
		return "handshake " + Dur(e.HandshakeNS)
	case event.FieldRTTNS:
		return "rtt " + Dur(e.RTTNS)
	case event.FieldWaitNS:
		return "waited " + Dur(e.WaitNS)
	case event.FieldDurationNS:
		return "lasted " + Dur(e.DurationNS)
	case event.FieldBytesIn:
		return "in " + Bytes(e.BytesIn)
	case event.FieldBytesOut:
		return "out " + Bytes(e.BytesOut)
	case event.FieldFD:
		return fmt.Sprintf("fd %d", e.FD)
	case event.FieldSYNQueue:
		return said(!starts(e), fmt.Sprintf("syn queue %s", against(e.SYNQueue, e)))
	case event.FieldAcceptQueue:
		return said(!starts(e), fmt.Sprintf("accept queue %s", against(e.AcceptQueue, e)))
	case event.FieldBacklog:
		if !starts(e) && (e.Known(event.FieldSYNQueue) || e.Known(event.FieldAcceptQueue)) {
			return ""
		}
		return fmt.Sprintf("backlog %d", e.Backlog)
	case event.FieldBacklogAsked:
		return said(e.Kind != event.Queue, fmt.Sprintf("asked %d", e.BacklogAsked))
	}
	return wordText(e, f)
}

// starts reports whether a socket starts to listen: its queues are empty.
func starts(e *event.Event) bool { return e.Kind == event.Listen && !e.PreExisting }

func wordText(e *event.Event, f event.Field) string {
	switch f {
	case event.FieldCount:
		return Count(e.Count) + " SYNs"
	case event.FieldReason:
		if e.Reason == e.Kind.String() {
			return "" // a reset because of a reset
		}
		return Clean(strings.ReplaceAll(e.Reason, "_", " "))
	case event.FieldSide:
		return "by " + map[string]string{event.SideLocal: "this side", event.SideRemote: "the peer"}[e.Side]
	case event.FieldErrno:
		return fmt.Sprintf("errno %d", e.Errno)
	case event.FieldRetransmits:
		if e.Retransmits == 0 {
			return ""
		}
		return Plural(int(e.Retransmits), "retransmit", "retransmits")
	case event.FieldOverflows:
		return "overflows " + Count(e.Overflows)
	case event.FieldDrops:
		return "drops " + Count(e.Drops)
	case event.FieldSYNYoung:
		return said(e.SYNYoung < e.SYNQueue, fmt.Sprintf("%d not answered", e.SYNQueue-min(e.SYNYoung, e.SYNQueue)))
	case event.FieldCookiesSent:
		return said(e.CookiesSent > 0, "cookies sent "+Count(e.CookiesSent))
	case event.FieldCookiesOK:
		return said(e.CookiesOK > 0, "back "+Count(e.CookiesOK))
	case event.FieldCookie:
		return said(e.Cookie, "SYN cookie")
	case event.FieldPreExisting:
		return said(e.PreExisting, "already there")
	case event.FieldName, event.FieldPhase:
		return Clean(map[event.Field]string{event.FieldName: e.Name, event.FieldPhase: e.Phase}[f])
	case event.FieldID:
		return fmt.Sprintf("id %d", e.ID)
	}
	return "" // the listener: its address is in the column, its cookie is for programs
}

// lostWords says how many events were lost, and why.
func lostWords(e *event.Event) string {
	n := "events"
	if e.Known(event.FieldCount) {
		n = Plural(int(e.Count), "event", "events")
	}
	if !e.Known(event.FieldWhere) {
		return n
	}
	return n + " " + lossName(e.Where)
}

func said(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

func against(depth uint32, e *event.Event) string {
	if !e.Known(event.FieldBacklog) {
		return fmt.Sprint(depth)
	}
	return fmt.Sprintf("%d/%d", depth, e.Backlog)
}
