// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
)

// diagnosis is what doctor finds, and its JSON.
type diagnosis struct {
	OK     bool        `json:"ok"` // the required probes attach
	Host   string      `json:"host,omitempty"`
	Kernel string      `json:"kernel"`
	Tier   probes.Tier `json:"tier"`
	Probes []checkup   `json:"probes"`
	Checks []check     `json:"checks"`
	Reason string      `json:"reason,omitempty"` // why it does not work
	Do     string      `json:"do,omitempty"`
	Tried  []string    `json:"tried,omitempty"` // the hooks of a required probe of which none works

	err error
}

// checkup is how one probe is served.
type checkup struct {
	Name     string                    `json:"name"`
	Why      string                    `json:"why"`
	Required bool                      `json:"required"`
	Hook     string                    `json:"hook"` // "" when no hook is in use
	Fidelity model.Fidelity            `json:"fidelity"`
	Facts    map[string]model.Fidelity `json:"facts,omitempty"`
	Note     string                    `json:"note,omitempty"`
	Idle     string                    `json:"idle,omitempty"`
	Failed   []failure                 `json:"failed"`
}

// failure is why a better hook is not used.
type failure struct {
	Hook  string `json:"hook"`
	Error string `json:"error"`
}

// check is one requirement.
type check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"`
}

func (a *app) doctorCmd() *cobra.Command {
	var f watchFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this kernel lets us see, and why not more",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.config()
			if err != nil {
				return err
			}
			d := diagnose(c.Context(), cfg)
			if errors.Is(d.err, context.Canceled) { // what was tried so far says nothing
				return errors.New("interrupted before the probes were tried")
			}
			if asJSON {
				err = json.NewEncoder(a.out).Encode(d)
			} else {
				err = d.write(a.out, f.verbose)
			}
			return errors.Join(err, d.err)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "print what failed in full")
	f.addTier(c)
	return c
}

// diagnose attaches everything once and lets it go again.
func diagnose(ctx context.Context, c live.Config) *diagnosis {
	r := live.Doctor()
	d := &diagnosis{Host: r.Host, Kernel: r.Kernel, Tier: probes.None, Probes: []checkup{}, Checks: []check{}}
	for _, k := range r.Checks {
		d.Checks = append(d.Checks, check(k))
	}
	c.SYN = true // as far as trace can see
	s, err := live.Open(ctx, c)
	if err != nil {
		d.err, d.Reason = err, err.Error()
		var un *live.Unsupported
		if errors.As(err, &un) {
			d.Reason, d.Do = un.What, un.Do
		}
		var all interface{ Unwrap() []error }
		if errors.As(err, &all) {
			for _, e := range all.Unwrap() {
				d.Tried = append(d.Tried, e.Error())
			}
		}
		return d
	}
	defer s.Close()
	info := s.Info()
	d.OK, d.Tier = true, info.Tier
	for _, p := range info.Probes {
		d.Probes = append(d.Probes, examine(p))
	}
	return d
}

func examine(p live.ProbeInfo) checkup {
	c := checkup{
		Name: p.Probe.Name, Why: p.Probe.Why, Required: p.Probe.Required, Idle: p.Idle,
		Hook: hookName(p.Hook), Fidelity: fidelity(p.Hook), Failed: []failure{},
	}
	if p.Hook != nil {
		c.Note = p.Hook.Note
	}
	for _, fact := range p.Probe.Facts {
		if f := probes.Fact(p.Hook, fact); f != c.Fidelity {
			if c.Facts == nil {
				c.Facts = map[string]model.Fidelity{}
			}
			c.Facts[fact] = f
		}
	}
	for _, f := range p.Failed {
		c.Failed = append(c.Failed, failure{hookName(f.Hook), fmt.Sprintf("%+v", f.Err)})
	}
	return c
}

// write prints the diagnosis for people.
func (d *diagnosis) write(w io.Writer, verbose bool) error {
	var b strings.Builder
	for _, p := range d.Probes {
		p.write(&b, verbose)
	}
	if len(d.Probes) > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%-14s %s\n", "kernel", d.Kernel)
	for _, c := range d.Checks {
		c.write(&b)
	}
	fmt.Fprintf(&b, "%-14s %s\n", "tier", d.Tier)
	for _, t := range d.Tried {
		fmt.Fprintf(&b, "%-14s   %s\n", "not possible", brief(t, verbose))
	}
	if d.OK {
		b.WriteString("\n" + d.verdict() + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *checkup) write(b *strings.Builder, verbose bool) {
	hook := p.Hook
	switch {
	case p.Idle != "":
		hook = "off: " + p.Idle
	case hook == "":
		hook = "no hook works"
	}
	fmt.Fprintf(b, "%-14s %-8s %s\n", p.Name, p.Fidelity, hook)
	for _, fact := range slices.Sorted(maps.Keys(p.Facts)) {
		fmt.Fprintf(b, "%-14s   %s is %s\n", "", strings.ReplaceAll(fact, "_", " "), p.Facts[fact])
	}
	if p.Note != "" {
		fmt.Fprintf(b, "%-14s   %s\n", "", p.Note)
	}
	last := ""
	for _, f := range p.Failed {
		line := fmt.Sprintf("%-14s   not %s: %s\n", "", f.Hook, brief(f.Error, verbose))
		if line != last { // the same functions, tried with programs for another kernel
			b.WriteString(line)
		}
		last = line
	}
}

// briefWidth is how much of an error doctor prints without -v.
const briefWidth = 160

// brief returns the beginning of an error, unless all is wanted; a verifier's can have thousands of lines.
func brief(s string, all bool) string {
	if all {
		return s
	}
	s, _, more := strings.Cut(s, "\n")
	if r := []rune(s); len(r) > briefWidth {
		s, more = string(r[:briefWidth]), true
	}
	if more {
		s += " … (-v for all)"
	}
	return s
}

func (c *check) write(b *strings.Builder) {
	fmt.Fprintf(b, "%-14s %s\n", c.Name, c.Found)
	if !c.OK && c.Do != "" {
		fmt.Fprintf(b, "%-14s   do: %s\n", "", c.Do)
	}
}

// verdict says in one line how it stands where watching works; where not, that is the line of the error.
func (d *diagnosis) verdict() string {
	var unknown []string
	for _, p := range d.Probes {
		if p.Hook == "" && p.Idle == "" {
			unknown = append(unknown, p.Name)
		}
	}
	if len(unknown) == 0 {
		return "everything that is required works"
	}
	return "what is required works; this kernel does not tell: " + strings.Join(unknown, ", ")
}
