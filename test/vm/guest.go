// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// kernel is one kernel to boot: the newest package of that line that the mirror has.
type kernel struct {
	Name   string  // what -kernel says
	Suites []suite // Debian suites that carry it; the highest version of all of them is taken
	Arches []string
}

// suite is a Debian suite and the archive it is in.
type suite struct {
	Name     string
	Security bool
}

// kernels lists the kernels that beltrace is tested on, oldest first.
var kernels = []kernel{
	{Name: "5.10", Suites: []suite{{"bullseye-security", true}}, Arches: []string{"amd64"}},
	{Name: "6.1", Suites: []suite{{"bookworm", false}, {"bookworm-security", true}}, Arches: []string{"amd64", "arm64"}},
	{Name: "6.12", Suites: []suite{{"trixie", false}, {"trixie-security", true}}, Arches: []string{"amd64", "arm64"}},
	{Name: "7.x", Suites: []suite{{"sid", false}, {"trixie-backports", false}}, Arches: []string{"amd64"}},
}

// tiers are the tiers that a guest can be held to, best first.
var tiers = []string{"full", "kprobe", "tracepoint"}

// guest is one run: a kernel, an architecture, and the tier that beltrace is held to in it.
type guest struct {
	Kernel kernel
	Arch   string
	Tier   string
}

func (g guest) String() string { return g.Kernel.Name + " " + g.Arch + " " + g.Tier }

// best reports whether the guest is held to no lower tier than its kernel has.
func (g guest) best() bool {
	return g.Tier == tiers[slices.IndexFunc(tiers, func(tier string) bool { return hasTier(g.Kernel.Name, g.Arch, tier) })]
}

// matrix returns the guests that CI runs, or every one of them if all is set: each kernel with the best tier, and the
// forced tiers on the two kernels that most servers run (one of them on arm64, too).
func matrix(all bool) []guest {
	var gs []guest
	for _, k := range kernels {
		for _, arch := range k.Arches {
			for _, tier := range tiers {
				if hasTier(k.Name, arch, tier) && (all || ciRuns(k.Name, arch, tier)) {
					gs = append(gs, guest{k, arch, tier})
				}
			}
		}
	}
	return gs
}

// hasTier reports whether a kernel reaches that tier: 6.1 on arm64 loads fentry programs but refuses to attach them.
func hasTier(kernel, arch, tier string) bool {
	return tier != "full" || kernel != "6.1" || arch != "arm64"
}

// ciRuns reports whether CI runs that guest; `make test-vm` runs the others as well.
func ciRuns(kernel, arch, tier string) bool {
	if arch == "arm64" {
		return kernel == "6.12" && tier == "full" // an emulated arm64 takes twice as long
	}
	return tier == "full" || kernel == "6.1" || kernel == "6.12"
}

// choose keeps the guests that the flags name; an empty flag keeps all.
func choose(gs []guest, name, arch, tier string) ([]guest, error) {
	if name != "" && !slices.ContainsFunc(kernels, func(k kernel) bool { return k.Name == name }) {
		return nil, fmt.Errorf("kernel %s: unknown, one of %s", name, strings.Join(kernelNames(), ", "))
	}
	keep := gs[:0:0]
	for _, g := range gs {
		if (name == "" || g.Kernel.Name == name) && (arch == "" || g.Arch == arch) && (tier == "" || g.Tier == tier) {
			keep = append(keep, g)
		}
	}
	if len(keep) == 0 {
		return nil, fmt.Errorf("no guest has kernel %q, architecture %q and tier %q", name, arch, tier)
	}
	return keep, nil
}

func kernelNames() []string {
	var names []string
	for _, k := range kernels {
		names = append(names, k.Name)
	}
	return names
}
