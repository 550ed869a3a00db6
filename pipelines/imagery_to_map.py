"""From imagery to maps: the whole chain as one Kubeflow pipeline."""

from kfp import dsl

from components.curator.component import curator
from components.evaluator.component import backbone_evaluator, task_evaluator
from components.exporter.component import exporter
from components.finetuner.component import finetuner
from components.pretrainer.component import pretrainer
from components.sampler.component import aggregator, sampler
from components.tiler.component import tile_share, tiler, tiling_plan
from pipelines.environment import with_settings
from pipelines.steps import configuration, mapping, promotion, registration, repetitions


def step(task: dsl.PipelineTask, after: dsl.PipelineTask | None = None) -> dsl.PipelineTask:
    """Run a task every time: what is done already its folder's manifest says, and Kubeflow's cache would not see a folder that is gone."""
    with_settings(task).set_caching_options(False)
    return task.after(after) if after is not None else task


def cut_among_pods(
    data: str, catalogue: str, sites: str, config: dict, pods: int, tiles: str, after: dsl.PipelineTask | None = None
) -> dsl.PipelineTask:
    """Wire the tiler: each pod cuts its share of the parts, and one step joins them. Returns the last task.

    Args:
        data: folder of the data.
        catalogue: path of its catalogue.
        sites: folder of the sites; empty where no scene is cut at sites.
        config: of the tiler.
        pods: how many cut at the same time.
        tiles: where the tiles go.
        after: what makes the sites.
    """
    plan = step(tiling_plan(data=data, catalogue=catalogue, sites=sites, config=config, pods=pods), after=after)
    with dsl.ParallelFor(plan.output, name="tiling-shares") as part:
        cut = step(tile_share(data=data, catalogue=catalogue, sites=part.sites, config=part.config, share=part.share, tiles=tiles))
    return step(tiler(data=data, catalogue=catalogue, sites=sites, config=config, tiles=tiles), after=cut)


@dsl.pipeline(name="imagery-to-map", description="Sample, tile, curate, pretrain, fine-tune, evaluate, export, register, promote, map.")
def imagery_to_map(data: str, catalogue: str, chain: dict, root: str) -> None:
    """Wire the steps; every folder lies under `root`, and a folder that is finished is not made again.

    Args:
        data: folder of the data.
        catalogue: path of its catalogue.
        chain: configuration of every step, as `pipelines.config.ChainConfig`.
        root: folder that takes the steps' folders.
    """
    checked = step(configuration(chain=chain, data=data, catalogue=catalogue, root=root))
    of = checked.outputs

    samplings = step(repetitions(chain=chain, root=root, of="samplings"), after=checked).output
    with dsl.ParallelFor(samplings, name="samplings", parallelism=1) as sampling:
        cells = step(aggregator(data=data, catalogue=catalogue, config=sampling.cells, cells=sampling.cells_folder)).output
        drawn = step(sampler(cells=cells, config=sampling.sampler, sites=sampling.sites_folder))

    # what a loop uses from outside is named by its folder: the local runner hands a loop no output of another task but its items
    tiles, backbone = f"{root}/tiles", f"{root}/backbone"
    cut = cut_among_pods(data, catalogue, of["sites"], of["tiler"], of["tiling_pods"], tiles, after=drawn)
    kept = step(curator(tiles=cut.output, config=of["curator"], curated=f"{root}/curated")).output
    pretrained = step(
        pretrainer(tiles=cut.output, curated=kept, config=of["pretrainer"], checkpoint=f"{root}/checkpoint", backbone=backbone)
    )
    step(backbone_evaluator(tiles=cut.output, backbone=pretrained.output, config=of["evaluator"], report=f"{root}/backbone-report"))

    with dsl.ParallelFor(step(repetitions(chain=chain, root=root, of="heads")).output, name="heads", parallelism=1) as head:
        model = step(finetuner(tiles=tiles, backbone=backbone, config=head.finetuner, model=head.model_folder), after=pretrained).output
        report = step(task_evaluator(tiles=tiles, model=model, config=head.evaluator, report=head.report_folder)).output
        serving = step(exporter(model=model, tiles=tiles, config=head.exporter, serving=head.serving_folder)).output
        candidate = step(registration(name=head.title, model=model, serving=serving, report=report)).output
        decision = step(promotion(name=head.title, version=candidate))

    with dsl.ParallelFor(step(repetitions(chain=chain, root=root, of="maps")).output, name="maps", parallelism=1) as wanted:
        step(mapping(data=data, catalogue=catalogue, root=root, wanted=wanted), after=decision)
