// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

// owner is the process and thread that a socket belongs to, as far as they are known.
type owner struct {
	have            event.Mask
	pid, tid, nspid uint32
	comm            string
	container, unit string
}

// ownerFields are the event fields that an owner is made of.
var ownerFields = event.MaskOf(event.FieldPID, event.FieldTID, event.FieldComm,
	event.FieldNSPID, event.FieldContainer, event.FieldUnit)

// ownerOf returns the owner that the event names.
func ownerOf(e *event.Event) owner {
	return owner{e.Has.And(ownerFields), e.PID, e.TID, e.NSPID, e.Comm, e.Container, e.Unit}
}

func (o *owner) known() bool { return o.have.Has(event.FieldPID) }

// giveTo names the owner in an event that names none. An event that names a process keeps what it says: the thread of
// a close need not be the one that accepted.
func (o *owner) giveTo(e *event.Event) {
	if e.Known(event.FieldPID) && (!o.known() || e.PID != o.pid) {
		return
	}
	missing := o.have.AndNot(e.Has)
	if e.Known(event.FieldPID) {
		missing = missing.AndNot(event.MaskOf(event.FieldTID))
	}
	set := func(f event.Field) bool {
		if !missing.Has(f) {
			return false
		}
		e.Set(f)
		return true
	}
	if set(event.FieldPID) {
		e.PID = o.pid
	}
	if set(event.FieldTID) {
		e.TID = o.tid
	}
	if set(event.FieldComm) {
		e.Comm = o.comm
	}
	if set(event.FieldNSPID) {
		e.NSPID = o.nspid
	}
	if set(event.FieldContainer) {
		e.Container = o.container
	}
	if set(event.FieldUnit) {
		e.Unit = o.unit
	}
}

// process returns the owner as snapshots show it.
func (o *owner) process() model.Process {
	p := model.Process{Comm: o.comm, Container: o.container, Unit: o.unit}
	if o.known() {
		p.PID = model.Some(o.pid)
	}
	if o.have.Has(event.FieldNSPID) {
		p.NSPID = model.Some(o.nspid)
	}
	return p
}

// nameOwner adds what /proc says about the process that an event names, where the event begins an ownership.
func (c *Collector) nameOwner(e *event.Event) {
	if c.opt.Process == nil || !e.Known(event.FieldPID) {
		return
	}
	switch e.Kind {
	case event.Listen, event.Connect, event.Accept, event.Established, event.Queue:
	default:
		return
	}
	p := c.opt.Process(e.PID)
	if p.Comm != "" && !e.Known(event.FieldComm) {
		e.Comm = p.Comm
		e.Set(event.FieldComm)
	}
	if p.NSPID.Known && p.NSPID.V != e.PID && !e.Known(event.FieldNSPID) {
		e.NSPID = p.NSPID.V
		e.Set(event.FieldNSPID)
	}
	if p.Container != "" && !e.Known(event.FieldContainer) {
		e.Container = p.Container
		e.Set(event.FieldContainer)
	}
	if p.Unit != "" && !e.Known(event.FieldUnit) {
		e.Unit = p.Unit
		e.Set(event.FieldUnit)
	}
}
