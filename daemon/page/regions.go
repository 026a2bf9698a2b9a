package page

import "encoding/json"

// Regions are the parts of a page that change, HTML by the id of its element.
type Regions map[string]string

// Changed are those that differ from what was sent before. Nil differs from
// everything.
func (r Regions) Changed(before Regions) Regions {
	out := Regions{}
	for id, html := range r {
		if old, ok := before[id]; !ok || old != html {
			out[id] = html
		}
	}
	return out
}

// Alive is an event without news. A page that hears nothing for 15 seconds says
// that it is not live.
const Alive = "event: alive\ndata: .\n\n"

// Event is the regions as one server-sent event, and nil where there are none.
func (r Regions) Event() []byte {
	if len(r) == 0 {
		return nil
	}
	data, err := json.Marshal(r)
	if err != nil {
		return nil // strings are always marshalled
	}
	return append(append([]byte("data: "), data...), '\n', '\n')
}

// set renders a region.
func (r Regions) set(id string, write func(*markup)) { r[id] = string(part(write)) }
