// SPDX-License-Identifier: Apache-2.0

package live

import (
	"slices"
	"unsafe"

	"beltrace/bpf"
	"beltrace/collector/event"
)

// turn reads the record of a turn.
func (d *decoder) turn(r *bpf.KernelTurnEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind, e.Bytes = event.Turn, r.Bytes
	t := &event.Moves{
		Pos: r.Pos, Calls: uint64(r.Calls), LastTID: r.LastTid, Direction: event.DirIn,
		ReadableTS: int64(r.Readable), WakingTS: int64(r.Waking), RunnableTS: int64(r.Runnable), OncpuTS: int64(r.Oncpu),
		FirstTS: int64(r.First), LastTS: int64(r.Last), SentTS: int64(r.Sent), AckedTS: int64(r.Acked), OtherTS: int64(r.Other),
	}
	if bpf.KernelTurnDir(r.Dir) == bpf.KernelTurnDirTURN_OUT {
		t.Direction, t.NagleNS, t.WindowNS = event.DirOut, int64(r.Nagle), int64(r.Window)
	}
	e.Turn = t
	if r.Running != 0 || r.Runqueue != 0 {
		e.Thread = &event.ThreadTimes{RunningNS: int64(r.Running), RunqueueNS: int64(r.Runqueue)}
		e.Set(event.FieldRunqueueNS)
	}
	if r.Running != 0 {
		e.Set(event.FieldRunningNS)
	}
	e.Set(event.FieldBytes, event.FieldPos, event.FieldDirection)
	if r.Calls != 0 { // else only what held the bytes was looked at
		e.Set(event.FieldCalls, event.FieldLastTID, event.FieldFirstTS, event.FieldLastTS)
	}
	setSeen(e)
	d.call(&r.E, r.Nr, r.Fd, e)
	if n := min(int(r.HeadLen), len(r.Head)); n > 0 {
		t.Head = slices.Clone(r.Head[:n])
	}
	return true
}

// setSeen marks the moments that were seen as known.
func setSeen(e *event.Event) {
	t := e.Turn
	for _, m := range []struct {
		f  event.Field
		ts int64
	}{
		{event.FieldReadableTS, t.ReadableTS}, {event.FieldWakingTS, t.WakingTS}, {event.FieldRunnableTS, t.RunnableTS},
		{event.FieldOncpuTS, t.OncpuTS}, {event.FieldSentTS, t.SentTS}, {event.FieldAckedTS, t.AckedTS}, {event.FieldOtherTS, t.OtherTS},
		{event.FieldLatencyNS, t.LatencyNS}, {event.FieldNagleNS, t.NagleNS}, {event.FieldWindowNS, t.WindowNS},
	} {
		if m.ts != 0 {
			e.Set(m.f)
		}
	}
}

// call reads which system call moved bytes, and its descriptor.
func (d *decoder) call(h *bpf.KernelEvent, nr uint16, fd int32, e *event.Event) {
	has := bpf.KernelEventHas(h.Has)
	if has&bpf.KernelEventHasHAS_CALL != 0 {
		if e.Turn.Call = d.waitName(uint32(nr) + 1); nr&ringCall != 0 {
			e.Turn.Call = "io_uring:" + uringOp(uint8(nr))
		}
		e.Set(event.FieldCall)
	}
	if has&bpf.KernelEventHasHAS_FD != 0 {
		e.FD = fd
		e.Set(event.FieldFD)
	}
}

// move reads the record of one call. Of a connection in detail its first bytes follow.
func (d *decoder) move(raw []byte, e *event.Event, kind event.Kind) bool {
	r := record[bpf.KernelMoveEvent](raw)
	if r == nil {
		return false
	}
	t := &event.Moves{
		Direction: event.DirIn, Pos: r.Pos, LatencyNS: int64(r.Latency), Detail: r.Detail != 0,
		ReadableTS: int64(r.Readable), WakingTS: int64(r.Waking), RunnableTS: int64(r.Runnable), OncpuTS: int64(r.Oncpu),
		SentTS: int64(r.Sent),
	}
	e.Kind, e.Bytes, e.Turn = kind, r.Bytes, t
	e.Set(event.FieldBytes, event.FieldPos)
	if kind == event.Write {
		t.Direction = event.DirOut
	} else {
		t.Unread = uint64(r.Unread)
		e.Set(event.FieldUnread)
	}
	setSeen(e)
	d.call(&r.E, r.Nr, r.Fd, e)
	if head := raw[unsafe.Sizeof(*r):]; len(head) >= int(r.HeadLen) && r.HeadLen > 0 {
		t.Head = slices.Clone(head[:r.HeadLen])
	}
	return true
}

// readable reads how much has come.
func (d *decoder) readable(r *bpf.KernelMoveEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind, e.Bytes = event.Readable, r.Bytes
	e.Turn = &event.Moves{Pos: r.Pos, Unread: uint64(r.Unread)}
	e.Set(event.FieldBytes, event.FieldPos, event.FieldUnread)
	return true
}

// offcpu reads a time that a thread was off CPU.
func (d *decoder) offcpu(r *bpf.KernelOffcpuEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind = event.Offcpu
	e.Turn = &event.Moves{OffNS: int64(r.OffNs)}
	e.Thread = &event.ThreadTimes{RunqueueNS: int64(r.RunqueueNs)}
	e.Set(event.FieldOffNS, event.FieldRunqueueNS)
	if r.RanNs != 0 {
		e.Turn.RanNS = int64(r.RanNs)
		e.Set(event.FieldRanNS)
	}
	if r.What != 0 {
		e.Turn.On = d.waitName(r.What)
		e.Set(event.FieldOn)
	}
	if r.Fd >= 0 {
		e.FD = r.Fd
		e.Set(event.FieldFD)
	}
	if bpf.KernelEventHas(r.E.Has)&bpf.KernelEventHasHAS_REMOTE != 0 {
		e.Turn.Target = addrPort(r.E.Family, r.E.Raddr, r.E.Rport).String()
		e.Set(event.FieldTarget)
	}
	return true
}
