package main

import (
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// collector is the simulator's property collector, but for how changes are told. The simulator
// reads every object again for each change: a thousand guests that go down cost a million reads,
// some minutes in which it tells of nothing. This one tells of what has changed. It knows no
// guests that come later.
type collector struct {
	simulator.PropertyCollector

	guard   sync.Mutex
	changes []types.ObjectUpdate
}

// How long changes may add up before they are told.
const tick = 20 * time.Millisecond

// useCollector replaces the simulator's collector, for sessions that begin later.
func useCollector() {
	replacement := &collector{}
	replacement.Self = vpx.ServiceContent.PropertyCollector
	simulator.Map.Put(replacement)
}

func (c *collector) CreatePropertyCollector(
	ctx *simulator.Context, r *types.CreatePropertyCollector,
) soap.HasFault {
	made := &collector{}
	made.Self = types.ManagedObjectReference{
		Type: "PropertyCollector", Value: "collector-" + ctx.Session.Key,
	}
	return &methods.CreatePropertyCollectorBody{
		Res: &types.CreatePropertyCollectorResponse{
			Returnval: ctx.Session.Put(made).Reference(),
		},
	}
}

func (c *collector) PutObject(mo.Reference) {}

func (c *collector) RemoveObject(types.ManagedObjectReference) {}

func (c *collector) UpdateObject(object mo.Reference, changes []types.PropertyChange) {
	c.guard.Lock()
	defer c.guard.Unlock()
	c.changes = append(c.changes, types.ObjectUpdate{
		Kind: types.ObjectUpdateKindModify, Obj: object.Reference(), ChangeSet: changes,
	})
}

func (c *collector) WaitForUpdatesEx(
	ctx *simulator.Context, r *types.WaitForUpdatesEx,
) soap.HasFault {
	if r.Version == "" {
		body := c.PropertyCollector.WaitForUpdatesEx(ctx, r)
		// In place of the one within, which has just been added under the same name.
		ctx.Map.AddHandler(c)
		return body
	}
	seconds := int32(20)
	if r.Options != nil && r.Options.MaxWaitSeconds != nil {
		seconds = *r.Options.MaxWaitSeconds
	}
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for {
		if updates := c.take(ctx); len(updates) > 0 {
			return &methods.WaitForUpdatesExBody{
				Res: &types.WaitForUpdatesExResponse{
					Returnval: &types.UpdateSet{Version: "-", FilterSet: updates},
				},
			}
		}
		if !time.Now().Before(end) {
			return &methods.WaitForUpdatesExBody{Res: &types.WaitForUpdatesExResponse{}}
		}
		time.Sleep(tick)
	}
}

// take gives back what has changed, as far as a filter asks for it.
func (c *collector) take(ctx *simulator.Context) []types.PropertyFilterUpdate {
	c.guard.Lock()
	changes := c.changes
	c.changes = nil
	c.guard.Unlock()

	var updates []types.PropertyFilterUpdate
	for _, reference := range c.Filter {
		filter := ctx.Session.Get(reference).(*simulator.PropertyFilter)
		update := types.PropertyFilterUpdate{Filter: reference}
		for _, change := range changes {
			change.ChangeSet = wanted(filter.Spec, change)
			if len(change.ChangeSet) > 0 {
				update.ObjectSet = append(update.ObjectSet, change)
			}
		}
		if len(update.ObjectSet) > 0 {
			updates = append(updates, update)
		}
	}
	return updates
}

// wanted are the changes of an object that a filter names.
func wanted(spec types.PropertyFilterSpec, update types.ObjectUpdate) []types.PropertyChange {
	var changes []types.PropertyChange
	for _, properties := range spec.PropSet {
		if properties.Type != update.Obj.Type {
			continue
		}
		for _, path := range properties.PathSet {
			for _, change := range update.ChangeSet {
				if change.Name == path {
					changes = append(changes, change)
				}
			}
		}
	}
	return changes
}
