"""The next step of a service whose traffic shifts from one revision (blue) to the next (green).

BLUE_GREEN, CANARY and LINEAR differ in their production shift only. Source: ECS developer guide, "Amazon ECS blue/green
deployments" with its workflow, "Pause hooks", "Stopping Amazon ECS service deployments". Starts and stops no task.
"""

from model_sandbox.ecs import failures
from model_sandbox.ecs.course import Course
from model_sandbox.ecs.decision import Decision, Stop
from model_sandbox.ecs.service import Deployment, Service
from model_sandbox.ecs.strategy import Strategy
from model_sandbox.ecs.task import Task
from model_sandbox.ecs.traffic import INVALID_NETWORKING, ROLLED_BACK, Surroundings, idle_group, problem, routes, shares

NO_CANDIDATE = "No rollback candidate was found to run the rollback."
_STAGES = (
    *("RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT"),
    *("POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"),
    *("POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"),
)
_LONGEST_STAGE = 1440  # minutes
_ALL = 100.0  # percent
#: A rollback takes a moment even where nothing has to be moved: who polls must see it.
_ROLLBACK_SECONDS = 3.0


def step(service: Service, tasks: list[Task], now: float, around: Surroundings) -> Decision:
    """Advance the newest deployment; decide which tasks that needs."""
    return _Deploying(service, tasks, now, around).step()


class _Deploying:
    def __init__(self, service: Service, tasks: list[Task], now: float, around: Surroundings) -> None:
        self._service, self._tasks, self._now, self._around = service, tasks, now, around
        self._record = service.records[0]
        self._course = self._record.course or Course(Strategy())
        self._green = next(d for d in service.deployments if d.revision is self._record.target)

    @property
    def _blue(self) -> Deployment | None:
        others = (d for d in self._service.deployments if d is not self._green)
        return next((d for d in others if d.state == "COMPLETED"), None)

    def step(self) -> Decision:
        if not self._course.is_back:
            self._expire()
            self._judge()
        if self._record.finished_at is None:
            self._go_back() if self._course.is_back else self._go_on()
        start, surplus = self._scale()
        return Decision(start, tuple(surplus))

    # ---- what goes wrong

    def _expire(self) -> None:
        for hook in self._course.hooks:
            if hook.waits and self._now >= hook.expires_at:
                hook.status = "TIMED_OUT"
                if hook.action == "ROLLBACK":
                    self._fail(f"{ROLLED_BACK} {hook.stage} pause hook timed out.")

    def _judge(self) -> None:
        if failure := failures.failure(self._service, self._green, self._around):
            self._fail(failure.words)
        if self._course.stage == "SCALE_UP" and self._now - self._course.since > _LONGEST_STAGE * self._around.minute:
            self._fail(f"{ROLLED_BACK} the SCALE_UP stage timed out.")
        if self._record.cause:
            self._turn_back()

    def _fail(self, cause: str) -> None:
        self._record.cause = self._record.cause or cause

    def _turn_back(self) -> None:
        blue, cause = self._blue, self._record.cause
        for hook in self._course.hooks:
            hook.status = "FAILED" if hook.waits else hook.status
        self._service.say(f"(deployment {self._green.identity}) deployment failed: {cause}", self._now)
        if blue is None:
            self._give_up(NO_CANDIDATE)
            return
        self._record.go_back(blue.revision, cause, self._now)
        self._course.is_back = True
        self._green.state, self._green.status, blue.status = "FAILED", "ACTIVE", "PRIMARY"
        self._service.say(f"rolling back to deployment {blue.identity}.", self._now)

    def _give_up(self, reason: str) -> None:
        self._green.state, self._green.reason = "FAILED", reason
        self._record.finish("ROLLBACK_FAILED", reason, self._now)
        self._service.say(reason, self._now)

    # ---- the way on

    def _waits(self) -> bool:
        return any(hook.waits for hook in self._course.hooks)

    def _go_on(self) -> None:
        if not self._course.stage:
            self._reconcile()
            self._enter("RECONCILE_SERVICE" if self._strangers() else "PRE_SCALE_UP")
        elif not self._waits() and self._is_through():
            if self._course.stage == "CLEAN_UP":
                self._complete()
            else:
                self._enter(self._next())

    def _next(self) -> str:
        course = self._course
        if course.stage == "PRODUCTION_TRAFFIC_SHIFT" and course.shifts < len(course.strategy.steps):
            return "PRE_PRODUCTION_TRAFFIC_SHIFT"
        return _STAGES[_STAGES.index(course.stage) + 1]

    def _is_through(self) -> bool:
        course, passed = self._course, self._now - self._course.since
        if course.stage == "RECONCILE_SERVICE":
            return not self._strangers()
        if course.stage == "SCALE_UP":
            return self._healthy(self._green) >= self._service.desired
        if course.stage == "PRODUCTION_TRAFFIC_SHIFT":
            return passed >= course.strategy.steps[course.shifts - 1].minutes * self._around.minute
        if course.stage == "BAKE_TIME":
            return passed >= course.strategy.bake * self._around.minute
        return course.stage != "CLEAN_UP" or self._is_alone(self._green)

    def _enter(self, stage: str) -> None:
        course = self._course
        course.enter(stage, self._now, self._around.minute)
        self._record.updated_at = self._now
        if stage == "PRE_SCALE_UP":
            self._place()
        elif stage == "TEST_TRAFFIC_SHIFT":
            self._shift_test(100.0)
        elif stage == "PRODUCTION_TRAFFIC_SHIFT":
            course.shifts += 1
            self._shift_production(course.strategy.steps[course.shifts - 1].share)

    def _reconcile(self) -> None:
        """Make the revision that has production the one to go back to; tasks of others are strangers."""
        service, blue = self._service, self._blue
        stopped = next((record for record in service.records[1:2] if record.status == "STOPPED"), None)
        course = stopped.course if stopped else None
        former = next((d for d in service.deployments if stopped and d.revision is stopped.target), None)
        if former and course and course.production == _ALL and not course.is_back:
            former.state, blue = "COMPLETED", former
        service.deployments = [self._green, *([blue] if blue else [])]
        self._record.sources = (blue.revision,) if blue else ()
        if stopped and course and blue:
            # Take back what the deployment that was stopped on its way had shifted.
            ways = zip(routes(stopped.target.load_balancers), service.groups_of(blue.revision), strict=False)
            for route, group in ways:
                for rule in filter(None, (route.production, route.test)):
                    self._write(rule, shares(route, group, _ALL), route.role, "RECONCILE_SERVICE")

    def _place(self) -> None:
        ways = routes(self._green.revision.load_balancers)
        for route in ways:
            if why := problem(route, self._around):
                self._fail(why)
                return
        if ways:
            chosen = tuple(idle_group(route, self._around) for route in ways)
            self._service.placed[self._green.revision.arn] = chosen

    def _complete(self) -> None:
        green = self._green
        green.state, green.reason = "COMPLETED", f"ECS deployment {green.identity} completed."
        green.updated_at = self._now
        self._record.finish("SUCCESSFUL", "", self._now)
        self._service.deployments = [green]
        self._service.say(f"(deployment {green.identity}) deployment completed.", self._now)

    # ---- the way back

    def _go_back(self) -> None:
        """Shift back at once, to a running side, before green's tasks go."""
        course, blue, minute = self._course, self._blue, self._around.minute
        if course.production:
            course.enter("PRODUCTION_TRAFFIC_SHIFT", self._now, minute)
            if blue and self._healthy(blue) >= min(1, self._service.desired):
                self._shift_production(0.0)
        elif course.test:
            course.enter("TEST_TRAFFIC_SHIFT", self._now, minute)
            self._shift_test(0.0)
        elif course.stage != "CLEAN_UP":
            course.enter("CLEAN_UP", self._now, minute)
        elif blue and self._is_as_before(blue):
            self._record.finish("ROLLBACK_SUCCESSFUL", self._record.cause, self._now)
            self._service.deployments = [blue]
            self._service.say(f"(deployment {blue.identity}) deployment completed.", self._now)

    def _is_as_before(self, blue: Deployment) -> bool:
        is_seen = self._now - float(self._record.rollback["startedAt"]) >= _ROLLBACK_SECONDS
        return is_seen and self._is_alone(blue) and self._healthy(blue) >= self._service.desired

    # ---- traffic

    def _shift_test(self, percent: float) -> bool:
        done = self._shift("TEST_TRAFFIC_SHIFT", percent)
        if done and any(route.test for route in routes(self._green.revision.load_balancers)):
            self._course.test = percent
        return done

    def _shift_production(self, percent: float) -> bool:
        done = self._shift("PRODUCTION_TRAFFIC_SHIFT", percent)
        if done:
            self._course.production = percent
        return done

    def _shift(self, stage: str, percent: float) -> bool:
        revision = self._green.revision
        for route, group in zip(routes(revision.load_balancers), self._service.groups_of(revision), strict=False):
            rule = route.test if stage == "TEST_TRAFFIC_SHIFT" else route.production
            if rule and not self._write(rule, shares(route, group, percent), route.role, stage):
                return False
        return True

    def _write(self, rule: str, weights: dict[str, int], role: str, stage: str) -> bool:
        if self._around.weights(rule) is None:
            self._fail(f"{INVALID_NETWORKING}. One or more rules not found")
        elif why := self._around.write(rule, weights, role):
            self._fail(f"{ROLLED_BACK} {stage} lifecycle hook(s) failed. {why}")
        else:
            return True
        return False

    # ---- tasks

    def _live(self) -> list[Task]:
        return [task for task in self._tasks if task.is_live]

    def _is_alone(self, side: Deployment) -> bool:
        return all(task.deployment == side.identity for task in self._live())

    def _strangers(self) -> list[Task]:
        known = {side.identity for side in self._service.deployments}
        return [task for task in self._live() if task.deployment not in known]

    def _healthy(self, side: Deployment) -> int:
        return sum(task.deployment == side.identity and task.is_healthy(self._now) for task in self._tasks)

    def _scale(self) -> tuple[tuple[Deployment, ...], list[Stop]]:
        scaling = f"Scaling activity initiated by deployment {self._green.identity}"
        starts: list[Deployment] = []
        stops = [Stop(task, scaling) for task in self._strangers()]
        for side in self._service.deployments:
            mine = [t for t in self._live() if t.deployment == side.identity and t.desired_status == "RUNNING"]
            wanted = self._wanted(side)
            if self._now >= side.not_before and side.state != "FAILED":
                starts += [side] * max(0, wanted - len(mine))
            stops += [Stop(task, scaling) for task in sorted(mine, key=lambda task: task.created_at)[wanted:]]
        if starts:
            self._service.is_steady = False
        return tuple(starts), stops

    def _wanted(self, side: Deployment) -> int:
        course = self._course
        is_leaving = course.stage == "CLEAN_UP" and (side is self._green) == course.is_back
        is_early = side is self._green and course.stage in ("", "RECONCILE_SERVICE", "PRE_SCALE_UP")
        is_lost = side is self._green and self._record.status == "ROLLBACK_FAILED"
        return 0 if is_leaving or is_early or is_lost else self._service.desired
