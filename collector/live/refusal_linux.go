// SPDX-License-Identifier: Apache-2.0

package live

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/probes"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// countRefusals tells the iterators what the hooks in use count.
func (s *Session) countRefusals() error {
	syn, ack := s.fidelity(probes.SYNDrop, probes.FactSYNDrops), s.fidelity(probes.LastACK, probes.FactACKDrops)
	name := ""
	switch {
	case syn == model.Exact && ack == model.Exact:
		name = "counts_refusals"
	case syn == model.Derived:
		name = "counts_acks"
	default:
		return nil
	}
	if err := s.loader.variables[name].Set(true); err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}

// fidelity is that of a fact under the hook in use.
func (s *Session) fidelity(probe, fact string) model.Fidelity {
	if a := s.hooks[probe]; a != nil {
		return probes.Fact(a.hook, fact)
	}
	return model.Unknown
}

// unexplained makes a grouped refusal of the listener of a sample, or of the end of a listener.
func unexplained(of *event.Event, stage string, count uint64) event.Event {
	e := *of
	e.Kind, e.Has = event.SYNDrop, of.Has.And(event.MaskOf(event.FieldPID, event.FieldTID, event.FieldComm, event.FieldNetNS,
		event.FieldProto, event.FieldLocal, event.FieldListener, event.FieldListenerConn))
	e.Role, e.Stage, e.Reason, e.Count = event.RoleServer, stage, event.ReasonUnknown, count
	e.Set(event.FieldRole, event.FieldStage, event.FieldReason, event.FieldCount)
	return e
}

// dropReasons reads this kernel's names of enum skb_drop_reason; none before 5.17.
func dropReasons(kernel *btf.Spec) map[uint16]string {
	names := map[uint16]string{}
	var enum *btf.Enum
	if kernel.TypeByName("skb_drop_reason", &enum) != nil {
		return names
	}
	for _, v := range enum.Values {
		if name, ok := strings.CutPrefix(v.Name, "SKB_DROP_REASON_"); ok && v.Value < 1<<16 {
			names[uint16(v.Value)] = name
		}
	}
	return names
}

// numberOf returns the number of a drop reason, or 0 if this kernel has none of that name.
func numberOf(reasons map[uint16]string, name string) uint32 {
	for n, s := range reasons {
		if s == name {
			return uint32(n)
		}
	}
	return 0
}

// nameReasons tells the programs the numbers of the reasons that they look for.
func (s *Session) nameReasons(spec *ebpf.CollectionSpec) error {
	kernel, err := s.loader.cache.Kernel()
	if err != nil {
		return err
	}
	s.decoder.reasons = dropReasons(kernel)
	if err := spec.Variables["unreached_reason"].Set(marked(s.decoder.reasons, unreached)); err != nil {
		return fmt.Errorf("set unreached_reason: %w", err)
	}
	for variable, reason := range map[string]string{"reason_listen_overflow": "TCP_LISTEN_OVERFLOW", "reason_no_socket": "NO_SOCKET"} {
		if err := spec.Variables[variable].Set(numberOf(s.decoder.reasons, reason)); err != nil {
			return fmt.Errorf("set %s: %w", variable, err)
		}
	}
	return nil
}

// unreached are the reasons that end a SYN on its way to a listener.
var unreached = []string{
	"NETFILTER_DROP", "SOCKET_FILTER", "XFRM_POLICY", "SECURITY_HOOK", "BPF_CGROUP_EGRESS", "XDP", "TC_INGRESS", "TC_EGRESS",
	"IP_RPFILTER", "IP_INVALID_SOURCE", "IP_INVALID_DEST", "IP_LOCAL_SOURCE", "IP_LOCALNET", "IP_INADDRERRORS", "IP_INNOROUTES",
	"IP_OUTNOROUTES", "IP_INHDR", "IP_CSUM", "TCP_CSUM", "SKB_CSUM", "UNICAST_IN_L2_MULTICAST", "TCP_MINTTL",
	"TCP_AUTH_HDR", "TCP_MD5NOTFOUND", "TCP_MD5UNEXPECTED", "TCP_MD5FAILURE", "TCP_AONOTFOUND", "TCP_AOUNEXPECTED",
	"TCP_AOKEYNOTFOUND", "TCP_AOFAILURE", "CPU_BACKLOG", "FULL_RING", "QDISC_DROP", "QDISC_OVERLIMIT", "QDISC_CONGESTED",
	"NOMEM", "PROTO_MEM", "PFMEMALLOC", "DEV_READY", "NEIGH_FAILED", "NEIGH_QUEUEFULL", "NEIGH_CREATEFAIL",
}

// bySocket are those of them that a listener's socket gives, and counts among its drops.
var bySocket = []string{
	"SOCKET_FILTER", "XFRM_POLICY", "TCP_MINTTL", "TCP_AUTH_HDR", "TCP_MD5NOTFOUND", "TCP_MD5UNEXPECTED", "TCP_MD5FAILURE",
	"TCP_AONOTFOUND", "TCP_AOUNEXPECTED", "TCP_AOKEYNOTFOUND", "TCP_AOFAILURE",
}

const maxReasons = 256 // MAX_REASONS in config.bpf.h

// marked sets the bytes at the numbers of these reasons.
func marked(reasons map[uint16]string, names []string) (set [maxReasons]uint8) {
	for n, name := range reasons {
		if n < maxReasons && slices.Contains(names, name) {
			set[n] = 1
		}
	}
	return set
}

// fits says why a hook cannot be used on this kernel although its programs might load, or nothing.
func (s *Session) fits(h *probes.Hook) error {
	if h.Reason != "" && numberOf(s.decoder.reasons, h.Reason) == 0 {
		return fmt.Errorf("this kernel has no drop reason %s", h.Reason)
	}
	if h.After != "" && (s.hooks[h.After] == nil || len(s.hooks[h.After].progs) == 0) {
		return errors.New("the probe " + h.After + " has no hook")
	}
	if h.With != "" && (s.hooks[h.With] == nil || s.hooks[h.With].hook.How != h.How) {
		return fmt.Errorf("the probe %s has another hook", h.With)
	}
	if h.Whole && s.copies {
		return errors.New("this kernel leaves out runs of such programs")
	}
	return s.loader.takes(h.Takes)
}
