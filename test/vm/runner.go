// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// runner runs guests. The emulation of one keeps half a CPU busy, so that three of them fill two.
type runner struct {
	options
	store store
	dir   string // for files of this run

	mu       sync.Mutex         // one guest's parts are fetched and built at a time
	images   map[string]*image  // by kernel and architecture
	payloads map[string]payload // by architecture
}

func newRunner(o options, st store, dir string) *runner {
	return &runner{options: o, store: st, dir: dir, images: map[string]*image{}, payloads: map[string]payload{}}
}

// runAll runs the guests and gives each report to show, as it comes. Tests that failed get their second try when all
// guests have had their first: one at a time, since a busy host is what makes times miss their bounds.
func (r *runner) runAll(ctx context.Context, guests []guest, show func(report)) {
	var again []report
	together(r.Jobs, longestFirst(guests), func(g guest) report { return r.once(ctx, g, r.Run) }, func(rep report) {
		switch {
		case ctx.Err() != nil: // stopped: none of them says anything
		case rep.failed():
			again = append(again, rep)
		default:
			show(rep)
		}
	})
	for _, first := range again {
		show(r.retry(ctx, first.guest, first))
	}
}

// longestFirst puts arm64 first, which takes twice as long, and then the better tiers, of which there is more to test:
// what is left to run alone at the end is short.
func longestFirst(guests []guest) []guest {
	gs := slices.Clone(guests)
	slices.SortStableFunc(gs, func(a, b guest) int {
		return cmp.Or(strings.Compare(b.Arch, a.Arch), slices.Index(tiers, a.Tier)-slices.Index(tiers, b.Tier))
	})
	return gs
}

// together runs the guests, at most jobs at a time, and calls done with each report, one at a time.
func together(jobs int, guests []guest, run func(guest) report, done func(report)) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	free := make(chan struct{}, max(1, jobs))
	for _, g := range guests {
		free <- struct{}{}
		wg.Go(func() {
			rep := run(g)
			mu.Lock()
			done(rep)
			mu.Unlock()
			<-free
		})
	}
	wg.Wait()
}

// parts returns what a guest is made of, fetched and built at the first need.
func (r *runner) parts(ctx context.Context, g guest) (*image, payload, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	img, err := r.image(ctx, g)
	if err != nil {
		return nil, payload{}, err
	}
	p, err := r.payload(ctx, g.Arch)
	return img, p, err
}

func (r *runner) image(ctx context.Context, g guest) (*image, error) {
	key := g.Kernel.Name + " " + g.Arch
	if img, ok := r.images[key]; ok {
		return img, nil
	}
	img, err := r.store.image(ctx, g.Kernel, g.Arch)
	if err == nil {
		r.images[key] = img
	}
	return img, err
}

// payload builds beltrace and the tests for an architecture.
func (r *runner) payload(ctx context.Context, arch string) (payload, error) {
	if p, ok := r.payloads[arch]; ok {
		return p, nil
	}
	busybox, err := r.store.busybox(ctx, arch)
	if err != nil {
		return payload{}, err
	}
	p := payload{Busybox: busybox, Beltrace: filepath.Join(r.dir, "beltrace-"+arch)}
	if err := goBuild(ctx, arch, "build", p.Beltrace, "./cmd/beltrace"); err != nil {
		return payload{}, err
	}
	for i, pkg := range strings.Split(r.Packages, ",") {
		t := testFile{Package: pkg, Binary: filepath.Join(r.dir, fmt.Sprintf("test-%s-%d", arch, i))}
		if err := goBuild(ctx, arch, "test", t.Binary, "-c", pkg); err != nil {
			return payload{}, err
		}
		if !exists(t.Binary) {
			return payload{}, fmt.Errorf("package %s: has no tests", pkg)
		}
		p.Tests = append(p.Tests, t)
	}
	r.payloads[arch] = p
	return p, nil
}
