// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// lineOf puts an event into words.
func lineOf(e *event.Event) model.EventLine {
	l := model.EventLine{TS: e.TS, Kind: e.Kind.String(), Conn: e.Conn, PID: e.PID, NetNS: e.NetNS, Comm: e.Comm,
		Container: e.Container, Unit: e.Unit, Role: e.Role, Text: text(e)}
	if !e.Known(event.FieldConn) {
		l.Conn = e.ListenerConn
	}
	return l
}

// text returns what an event says, without its kind and owner.
func text(e *event.Event) string {
	b := make(words, 0, 128)
	switch e.Kind {
	case event.Connect:
		b.bothEnds(e)
	case event.Established:
		b.establishedText(e)
	case event.Accept:
		b.acceptText(e)
	case event.Close:
		b.closeText(e)
	case event.Reset:
		b.ends(e)
		b.say(bySide(e.Side, "RST sent", "RST received", "RST"))
	case event.Retransmit:
		b.ends(e)
		if e.Reason == event.ReasonSYNACK {
			b.say("SYN-ACK sent again")
		} else {
			b.say("segment sent again")
		}
	case event.SYN:
		b.synText(e)
	case event.SYNDrop:
		b.dropText(e)
	case event.AcceptError:
		b.acceptErrorText(e)
	case event.AcceptEmpty:
		b.acceptEmptyText(e)
	case event.Listen, event.Unlisten:
		b.listenText(e)
	case event.Mark:
		b.say(e.Name + " " + e.Phase)
		if e.Known(event.FieldID) {
			b.say("request " + strconv.FormatUint(e.ID, 10))
		}
	case event.EpollWait:
		b.waitText(e)
	case event.LoopBlocked:
		b.loopBlockedText(e)
	case event.UringSubmit, event.UringComplete:
		b.operationText(e)
	case event.Turn, event.Read, event.Write:
		b.turnText(e)
	case event.Readable:
		b.readableText(e)
	case event.Oncpu:
		b.say("runs" + at(e.Turn))
	case event.Offcpu:
		b.offcpuText(e)
	case event.Exchange:
		b.exchangeText(e)
	case event.Lost:
		b.say(plural(max(e.Count, 1), "event") + " lost: " + e.Where)
	}
	return string(b)
}

// words is a line that grows phrase by phrase.
type words []byte

// say appends a phrase.
func (b *words) say(s string) {
	if len(*b) > 0 {
		*b = append(*b, ", "...)
	}
	*b = append(*b, s...)
}

// ends names both ends of a connection; the arrow points from who called to who was called.
func (b *words) ends(e *event.Event) {
	arrow := " → "
	if e.Role == event.RoleServer {
		arrow = " ← "
	} else if e.Role == "" {
		arrow = " – "
	}
	if e.Known(event.FieldLocal) {
		*b = e.Local.AppendTo(*b)
	}
	if len(*b) == 0 {
		arrow = strings.TrimLeft(arrow, " ")
	}
	if e.Known(event.FieldRemote) {
		*b = append(*b, arrow...)
		*b = e.Remote.AppendTo(*b)
	}
}

// bothEnds names the ends of a connection that begins, or that was there.
func (b *words) bothEnds(e *event.Event) {
	b.ends(e)
	if e.PreExisting {
		b.say("older than the watch")
	}
}

func (b *words) establishedText(e *event.Event) {
	b.bothEnds(e)
	if e.Known(event.FieldHandshakeNS) {
		b.say("handshake " + span(e.HandshakeNS))
	} else if e.Known(event.FieldRTTNS) {
		b.say("round trip " + span(e.RTTNS))
	}
}

func (b *words) acceptText(e *event.Event) {
	b.ends(e)
	if e.Known(event.FieldWaitNS) {
		b.say("waited " + span(e.WaitNS))
	}
	if e.Known(event.FieldFD) {
		b.say("fd " + strconv.Itoa(int(e.FD)))
	}
	if e.Known(event.FieldAcceptQueue) {
		b.say(strconv.FormatUint(uint64(e.AcceptQueue), 10) + " left in the queue")
	}
}

// endings are the reasons of a close in words.
var endings = map[string]string{
	event.ReasonRefused:     "refused: nobody listens there",
	event.ReasonTimeout:     "timed out: no answer",
	event.ReasonUnreachable: "unreachable: no way there",
	event.ReasonAborted:     "given up before it was established",
	event.ReasonFIN:         "orderly end",
	event.ReasonListenerEnd: "reset, since its listener closed",
}

func (b *words) closeText(e *event.Event) {
	b.ends(e)
	how, ok := endings[e.Reason]
	switch {
	case e.Reason == event.ReasonReset:
		how = bySide(e.Side, "reset by this side", "reset by the peer", "reset")
	case e.Reason == event.ReasonAborted && (e.Known(event.FieldDurationNS) || e.Known(event.FieldBytesIn)): // it was established
		how = "aborted by this side with a RST"
	case e.Reason == event.ReasonFIN && e.Side != "":
		how = bySide(e.Side, "closed by this side first", "closed by the peer first", how)
	case !ok:
		how = e.Reason
	}
	if how != "" {
		b.say(how)
	}
	if e.Known(event.FieldErrno) && (e.Reason == "" || e.Reason == event.ReasonOther) {
		b.say("errno " + strconv.Itoa(int(e.Errno)))
	}
	if e.Known(event.FieldDurationNS) {
		b.say("after " + span(e.DurationNS))
	}
	if e.Known(event.FieldBytesIn) && e.Known(event.FieldBytesOut) {
		b.say(size(e.BytesIn) + " in, " + size(e.BytesOut) + " out")
	}
}

func (b *words) synText(e *event.Event) {
	b.route(e)
	b.depths(e)
	if e.Known(event.FieldCount) {
		b.say(strconv.FormatUint(e.Count, 10) + " SYNs")
	}
	if e.Cookie {
		b.say("answered with a SYN cookie")
	}
}

// route names the client and the listener that it asks.
func (b *words) route(e *event.Event) {
	if e.Known(event.FieldRemote) {
		*b = e.Remote.AppendTo(*b)
	}
	if e.Known(event.FieldListener) && len(*b) > 0 {
		*b = append(*b, " → "...)
	}
	if e.Known(event.FieldListener) {
		*b = e.Listener.AppendTo(*b)
	}
}

// depths says how long the queues of a listener are.
func (b *words) depths(e *event.Event) {
	if e.Known(event.FieldSYNQueue) {
		b.say(fmt.Sprintf("SYN queue %d", e.SYNQueue))
	}
	if e.Known(event.FieldAcceptQueue) {
		b.say(fmt.Sprintf("accept queue %d", e.AcceptQueue))
	}
	if e.Known(event.FieldBacklog) {
		b.say(fmt.Sprintf("backlog %d", e.Backlog))
	}
}

func (b *words) dropText(e *event.Event) {
	b.route(e)
	what := "segment"
	switch e.Stage {
	case event.StageSYN:
		what = "SYN"
	case event.StageACK:
		what = "final ACK"
	}
	b.say(plural(times(e), what) + " refused")
	if e.Known(event.FieldReason) {
		b.say(cmp.Or(refusals[e.Reason], e.Reason, "for no reason"))
	}
	if e.Known(event.FieldDropReason) {
		b.say(e.DropReason)
	}
	b.depths(e)
}

// refusals are the reasons of a refusal in words.
var refusals = map[string]string{
	event.ReasonAcceptQueueFull: "accept queue full",
	event.ReasonSYNQueueFull:    "SYN queue full",
	event.ReasonSYNBacklogLimit: "too little left of tcp_max_syn_backlog",
	event.ReasonOther:           "for another reason",
	event.ReasonUnknown:         "this kernel does not say why",
}

func (b *words) acceptEmptyText(e *event.Event) {
	if e.Known(event.FieldListener) {
		*b = e.Listener.AppendTo(*b)
	}
	b.say(plural(times(e), "accept") + " found nobody")
}

func (b *words) acceptErrorText(e *event.Event) {
	if e.Known(event.FieldListener) {
		*b = e.Listener.AppendTo(*b)
	}
	what := "accept"
	if n := times(e); n > 1 {
		what = plural(n, "accept")
	}
	b.say(what + " failed: " + errnoOf(e))
	if e.Known(event.FieldOpenFDs) {
		b.say(fmt.Sprintf("%d descriptors open", e.OpenFDs))
	}
	if e.Known(event.FieldFDLimit) {
		b.say(fmt.Sprintf("limit %d", e.FDLimit))
	}
}

func (b *words) listenText(e *event.Event) {
	if e.Known(event.FieldListener) {
		*b = e.Listener.AppendTo(*b)
	}
	if e.Known(event.FieldBacklog) {
		b.say(fmt.Sprintf("backlog %d", e.Backlog))
	}
	if e.Known(event.FieldBacklogAsked) && uint32(e.BacklogAsked) != e.Backlog {
		b.say(fmt.Sprintf("asked for %d", e.BacklogAsked))
	}
}

// span writes a time with three digits at most: 83 µs, 1.2 ms, 48 ms, 2m3s.
func span(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d < 0:
		return "–"
	case d < time.Microsecond:
		return strconv.FormatInt(ns, 10) + " ns"
	case ns < 999_500: // above it digits would round to 1000
		return digits(float64(ns)/1e3) + " µs"
	case ns < 999_500_000:
		return digits(float64(ns)/1e6) + " ms"
	case d < 59_500*time.Millisecond:
		return digits(float64(ns)/1e9) + " s"
	}
	return d.Round(time.Second).String()
}

// size writes a number of bytes: 79 B, 1.2 kB, 3.4 MB.
func size(n uint64) string {
	switch {
	case n < 1000:
		return strconv.FormatUint(n, 10) + " B"
	case n < 999_500:
		return digits(float64(n)/1e3) + " kB"
	case n < 999_500_000:
		return digits(float64(n)/1e6) + " MB"
	}
	return digits(float64(n)/1e9) + " GB"
}

func digits(v float64) string {
	if v < 9.95 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// bySide chooses words by who did it.
func bySide(side, local, remote, unknown string) string {
	switch side {
	case event.SideLocal:
		return local
	case event.SideRemote:
		return remote
	}
	return unknown
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatUint(n, 10) + " " + what + "s"
}
