// SPDX-License-Identifier: Apache-2.0

package view

import (
	"math"
	"strings"
)

var levels = [...]rune{'▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}

// Spark draws the last width values as blocks whose height is the share of top; top 0 means the largest of them.
// A value that is not known is NaN and drawn as a space.
func Spark(values []float64, top float64, width int) string {
	if len(values) > width {
		values = values[len(values)-width:]
	}
	if top <= 0 {
		for _, v := range values {
			if v > top { // never true for NaN
				top = v
			}
		}
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteRune(level(v, top))
	}
	return b.String()
}

func level(v, top float64) rune {
	switch {
	case math.IsNaN(v):
		return ' '
	case v <= 0 || top <= 0:
		return levels[0]
	}
	// Anything above 0 is drawn higher than 0.
	i := 1 + int(v/top*float64(len(levels)-2)+0.5)
	return levels[min(i, len(levels)-1)]
}

// Bar draws a share of one as a bar of width cells: full blocks, then a thin line for what is free.
func Bar(share float64, width int) string {
	n := int(share*float64(width) + 0.5)
	if share > 0 && n == 0 {
		n = 1
	}
	n = max(0, min(n, width))
	return strings.Repeat("▇", n) + strings.Repeat("▁", width-n)
}
