// SPDX-License-Identifier: Apache-2.0

package live

import (
	"beltrace/bpf"
	"beltrace/collector/event"
)

// sample reads what an iterator says of a listener.
func (d *decoder) sample(r *bpf.KernelSampleEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	d.queue(&r.Q, e, event.Queue)
	e.SYNYoung = r.Young
	e.Set(event.FieldSYNYoung)
	if bpf.KernelEventHas(r.Q.E.Has)&bpf.KernelEventHasHAS_REFUSALS != 0 {
		e.Overflows, e.Drops, e.CookiesSent, e.CookiesOK = r.Overflows, r.Refused, r.CookiesSent, r.CookiesOk
		e.Set(event.FieldOverflows, event.FieldDrops, event.FieldCookiesSent, event.FieldCookiesOK)
	}
	return true
}

func (d *decoder) drop(r *bpf.KernelDropEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind, e.Count = event.SYNDrop, 1
	e.Set(event.FieldCount)
	if bpf.KernelEventHas(r.E.Has)&bpf.KernelEventHasHAS_QUEUES != 0 {
		e.SYNQueue, e.AcceptQueue, e.Backlog = r.SynQueue, r.AcceptQueue, r.Backlog
		e.Set(event.FieldSYNQueue, event.FieldAcceptQueue, event.FieldBacklog)
	}
	d.refusal(bpf.KernelDropStage(r.Stage), bpf.KernelDropCause(r.Cause), r.KernelReason, e)
	return true
}

// refusal fills in which segment was refused and why.
func (d *decoder) refusal(stage bpf.KernelDropStage, cause bpf.KernelDropCause, kernelReason uint16, e *event.Event) {
	switch stage {
	case bpf.KernelDropStageSTAGE_SYN:
		e.Stage = event.StageSYN
		e.Set(event.FieldStage)
	case bpf.KernelDropStageSTAGE_ACK:
		e.Stage = event.StageACK
		e.Set(event.FieldStage)
	}
	e.Reason = causes[cause]
	e.Set(event.FieldReason)
	if name := d.reasons[kernelReason]; kernelReason != 0 && name != "" {
		e.DropReason = name
		e.Set(event.FieldDropReason)
	}
}

var causes = map[bpf.KernelDropCause]string{
	bpf.KernelDropCauseCAUSE_UNKNOWN:      event.ReasonUnknown,
	bpf.KernelDropCauseCAUSE_ACCEPT_QUEUE: event.ReasonAcceptQueueFull,
	bpf.KernelDropCauseCAUSE_SYN_QUEUE:    event.ReasonSYNQueueFull,
	bpf.KernelDropCauseCAUSE_SYN_BACKLOG:  event.ReasonSYNBacklogLimit,
	bpf.KernelDropCauseCAUSE_OTHER:        event.ReasonOther,
}

func (d *decoder) acceptError(r *bpf.KernelAcceptErrorEvent, e *event.Event) bool {
	if r == nil {
		return false
	}
	e.Kind, e.Errno = event.AcceptError, r.Error
	e.Set(event.FieldErrno)
	return true
}

// tally makes the event that stands for the count refusals or failures of a tally that had no record of their own;
// false: what it counts is told by samples.
func (d *decoder) tally(k *bpf.KernelTallyKey, t *bpf.KernelTally, count uint64, ts int64) (event.Event, bool) {
	e := event.Event{TS: ts, Kind: event.SYNDrop, Count: count}
	e.Set(event.FieldCount)
	switch bpf.KernelTallyWhat(k.What) {
	case bpf.KernelTallyWhatTALLY_SYN:
		d.refusal(bpf.KernelDropStageSTAGE_SYN, bpf.KernelDropCause(k.Code), 0, &e)
	case bpf.KernelTallyWhatTALLY_ACK:
		d.refusal(bpf.KernelDropStageSTAGE_ACK, bpf.KernelDropCause(k.Code), 0, &e)
	case bpf.KernelTallyWhatTALLY_UNREACHED:
		d.refusal(bpf.KernelDropStageSTAGE_SYN, bpf.KernelDropCauseCAUSE_OTHER, k.Code, &e)
	case bpf.KernelTallyWhatTALLY_ACCEPT_ERROR:
		e.Kind, e.Errno = event.AcceptError, int32(k.Code)
		e.Set(event.FieldErrno)
	case bpf.KernelTallyWhatTALLY_ACCEPT_EMPTY:
		e.Kind = event.AcceptEmpty
	case bpf.KernelTallyWhatTALLY_COOKIE_SENT:
		if !d.tellsSYNs {
			return e, false
		}
		e.Kind, e.Cookie = event.SYN, true
		e.Set(event.FieldCookie)
	default:
		return e, false
	}
	d.head(&t.E, &e)
	return e, true
}
