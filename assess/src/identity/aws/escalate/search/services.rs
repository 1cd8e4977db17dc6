//! Methods that run code under a service's role: passed to something new, or used where it is.

use super::{
    super::{
        super::{
            context::{Context, Fact},
            decide::{Policies, Request, allowed},
            details::Principal,
            principal::{Caller, CallerKind},
        },
        actor::{Actor, open},
        edge::{Evidence, Node},
        witness::{joint, witnesses},
    },
    Extra, Search, Step,
    reachable::fits,
    value,
};
use std::sync::Arc;

impl Search<'_> {
    /// The roles a service may run under, by the service's name.
    fn trusting(&mut self, service: &str) -> Vec<usize> {
        if let Some(known) = self.trusting.get(service) {
            return known.clone();
        }
        let web = service == "cognito-identity.amazonaws.com";
        let caller =
            Caller { kind: if web { CallerKind::Provider } else { CallerKind::Service }, ..Caller::service(service) };
        let action = if web { "sts:assumerolewithwebidentity" } else { "sts:assumerole" };
        let mut found = Vec::new();
        for (at, role) in self.details.principals.iter().enumerate() {
            let Some(trust) = &role.trust else { continue };
            let mut context = Context::with_rest(open);
            context.set("aws:sourceaccount", [role.account.as_str()]);
            context.put("aws:sourcearn", Fact::Chosen);
            context.set("aws:principalservicename", [service]);
            context.set("aws:principalisawsservice", ["true"]);
            if web {
                // Which identity pool and whether it is signed in is the actor's to arrange.
                context.put("cognito-identity.amazonaws.com:aud", Fact::Chosen);
                context.put("cognito-identity.amazonaws.com:amr", Fact::Chosen);
            }
            let request = Request {
                caller: caller.clone(),
                action: action.into(),
                resource: role.arn.as_str().into(),
                resource_account: role.account.as_str().into(),
                context,
            };
            if allowed(&request, &Policies { resource: Some(trust), ..Policies::default() }).is_yes() {
                found.push(at);
            }
        }
        self.trusting.insert(service.to_owned(), found.clone());
        found
    }

    /// Whether a role can be put on an instance: it has a profile, or the actor can make one.
    fn has_profile(&self, actor: &Actor, role: &Principal) -> bool {
        match &role.profiles {
            None => true,
            Some(list) if !list.is_empty() => true,
            Some(_) if self.profiled.contains(&role.arn) => true,
            Some(_) => {
                let actions = [("iam:createinstanceprofile", Vec::new()), ("iam:addroletoinstanceprofile", Vec::new())];
                joint(actor, self.org, &actions, &self.regions).is_some()
            }
        }
    }

    pub(super) fn pass(&mut self, step: &Step<'_>) {
        let how = &step.method.how;
        let mut because: Option<Vec<Arc<Evidence>>> = None;
        let mut hangs_on = Vec::new();
        let details = self.details;
        for service in &how.services {
            for at in self.trusting(service) {
                let Some(role) = details.principals.get(at) else { continue };
                if role.account != step.principal.account || at == step.actor.principal || self.linked.contains(at) {
                    continue;
                }
                if because.is_none() {
                    // What the actor must be able to do is the same for every role: look once.
                    let Some(controls) = self.controls(step.actor, &how.controls) else { return };
                    hangs_on = controls;
                    let actions: Vec<(&str, Extra)> = step.actions.iter().map(|a| (a.as_str(), Vec::new())).collect();
                    let Some(found) = joint(step.actor, self.org, &actions, &self.regions) else { return };
                    because = Some(self.joint_evidence(step.actor, &found, &actions));
                }
                let extra = [("iam:passedtoservice", value(service))];
                let Some(passed) = self.on_principal(step.actor, "iam:passrole", role, &extra) else { continue };
                if how.profile && !self.has_profile(step.actor, role) {
                    continue;
                }
                let mut because = because.clone().unwrap_or_default();
                because.insert(0, passed);
                because.push(Evidence::fact(&format!("trust of {service}"), &role.arn));
                self.link(step, &role.arn, Node::Actor(at), because, false);
                hangs_on.iter().for_each(|what| self.assume_last(what));
                if how.profile && role.profiles.is_none() {
                    self.assume_last("the role has an instance profile");
                }
            }
        }
    }

    /// What it hangs on that the actor can run code on one of the things of a type, nothing where that is certain; none when
    /// it cannot.
    fn controls(&self, actor: &Actor, kind: &str) -> Option<Vec<String>> {
        let any = |actions: &[&str]| {
            actions.iter().filter(|action| actor.mentions(action)).find_map(|action| {
                let on = witnesses(actor, action, &self.regions);
                let found = on.iter().find(|r| actor.can(self.org, action, r, &[]))?;
                let why = actor.hopes.then(|| self.why(actor, action, found, &[]));
                Some(why.map(|why| why.depends_on.clone()).unwrap_or_default())
            })
        };
        let exists = self.inventory.is_none_or(|i| i.of(kind).next().is_some());
        match kind {
            "" => Some(Vec::new()),
            "aws_instance" if exists => any(&[
                "ssm:startsession",
                "ssm:sendcommand",
                "ec2-instance-connect:sendsshpublickey",
                "ec2-instance-connect:sendserialconsolesshpublickey",
                "ec2:modifyinstanceattribute",
            ]),
            _ => exists.then(Vec::new),
        }
    }

    pub(super) fn workload(&mut self, step: &Step<'_>) {
        let how = &step.method.how;
        // Without an inventory, whoever can pass roles is judged by what it can create; whoever can only use what is
        // there gets no benefit of the doubt about what is there.
        if self.inventory.is_none() && step.actor.is_given("iam:passrole") {
            return;
        }
        let mut hosts: Vec<usize> = how.services.iter().flat_map(|s| self.trusting(s)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let details = self.details;
        hosts.retain(|i| {
            details.principals.get(*i).is_some_and(|r| {
                r.account == step.principal.account && *i != step.actor.principal && !self.linked.contains(*i)
            })
        });
        let Some(inventory) = self.inventory else {
            hosts.retain(|i| {
                !how.profile
                    || details.principals.get(*i).is_some_and(|r| r.profiles.as_ref().is_none_or(|p| !p.is_empty()))
            });
            if hosts.is_empty() {
                return;
            }
            let actions: Vec<(&str, Extra)> = step.actions.iter().map(|a| (a.as_str(), Vec::new())).collect();
            let Some(found) = joint(step.actor, self.org, &actions, &self.regions) else { return };
            let because = self.joint_evidence(step.actor, &found, &actions);
            for at in hosts {
                let Some(role) = details.principals.get(at) else { continue };
                self.link(step, &role.arn, Node::Actor(at), because.clone(), false);
                self.assume_last("something runs as the role; no inventory of resources was given");
            }
            return;
        };
        for kind in &how.types {
            for item in inventory.of(kind) {
                if !fits(item, &how.needs) {
                    continue;
                }
                let mut unclear = false;
                let named = inventory.roles(item, &how.ignore, &self.roles, &mut unclear);
                let mut roles: Vec<usize> = hosts
                    .iter()
                    .copied()
                    .filter(|i| details.principals.get(*i).is_some_and(|r| named.contains(&r.arn)))
                    .collect();
                let guessed = roles.is_empty() && unclear;
                if guessed {
                    roles.clone_from(&hosts);
                }
                if roles.is_empty() {
                    continue;
                }
                let Some(mut because) = self.on_workload(step, item) else { continue };
                because.push(Evidence::fact("exists", &format!("{} {}", item.kind, item.name)));
                for at in roles {
                    let Some(role) = details.principals.get(at) else { continue };
                    self.link(step, &role.arn, Node::Actor(at), because.clone(), false);
                    if guessed {
                        self.assume_last("the resource runs as this role; its reference leads out of the inventory");
                    }
                }
            }
        }
    }
}
