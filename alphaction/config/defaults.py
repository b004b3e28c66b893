"""Every configuration key with its default. Above each key: what it sets, its unit and its effect.

The names, types and defaults of AlphAction's 113 keys are kept; ours are added in the same style.
"""

from yacs.config import CfgNode as CN

_C = CN()

# What is learnt: a registered task. Only "action_detection" exists so far.
_C.TASK = "action_detection"
# Where to run: "auto" takes an accelerator when there is one; else "cpu", "mps", or a CUDA device.
_C.DEVICE = "auto"
# Python modules to import before anything is built, so that their registrations run: ("my_package.my_backbone",).
_C.CUSTOM_IMPORTS = ()
# Folder for checkpoints, logs and results; created when missing.
_C.OUTPUT_DIR = "."

_C.MODEL = CN()
# Weight file to start from (.pth, .pkl or .safetensors); "" starts from random weights. "torchvision:r2plus1d_18" is
# the file that torchvision publishes for this model, fetched once and kept in $TORCH_HOME/hub/checkpoints, where it
# can be put by hand; "torchvision:R2Plus1D_18_Weights.KINETICS400_V1" is a certain one of its files. A checkpoint found
# in OUTPUT_DIR goes first.
_C.MODEL.WEIGHT = ""
# Label file of the classes that MODEL.WEIGHT was trained on, in any form a data set's label_file may have, every class
# in it: --transfer then takes over the head's rows by class name. "" is what the file says itself, as checkpoints of
# this program do; a file that says nothing is loaded by position.
_C.MODEL.WEIGHT_LABELS = ""
# [regular expression, replacement] pairs, applied in order to the keys of MODEL.WEIGHT before they are matched with the
# model's: [['^layer(\\d)[.]', 'backbone.res_nl\\1.']]. Keys are as the file has them, with a leading "module." if any.
_C.MODEL.WEIGHT_RENAME = []
# How a 2D kernel of MODEL.WEIGHT fills a 3D one: "mean" spreads it evenly over time (Carreira and Zisserman 2017),
# "centre" puts it into the middle frame and 0 elsewhere. "": not at all, the shapes must be equal.
_C.MODEL.INFLATE = ""
# How a first convolution over RGB fills one over C other channels, with the mean over the three for each: "preserve"
# times 3 / C, which keeps the size of the response; "repeat" as it is (Wang et al. 2016). "": not at all.
_C.MODEL.INPUT_CHANNELS = ""

_C.MODEL.BACKBONE = CN()
# Registered backbone: Slowfast-Resnet50, Slowfast-Resnet101, Slowfast-Tiny; I3D-Resnet50, I3D-Resnet101, which see
# the fast frames only and shorten time to an eighth; I3D-Resnet50-Sparse, I3D-Resnet101-Sparse, which shorten it to a
# half, for frames that are far apart; R3D-18, MC3-18, R2Plus1D-18, MViT-V1-B, MViT-V2-S of torchvision, which see the
# fast frames only (made for 16) and whose map is as POOLER_SCALE says: 1/16 or 1/8 of the frame, of the MViTs 1/32 or
# 1/16.
_C.MODEL.BACKBONE.CONV_BODY = "Slowfast-Resnet50"
# True: batch norm keeps its stored statistics and weights (buffers, never trained); False: live batch norm.
_C.MODEL.BACKBONE.FROZEN_BN = False
# Momentum of running statistics, as torch's BatchNorm3d counts it.
_C.MODEL.BACKBONE.BN_MOMENTUM = 0.1
# Added to the variance before the root.
_C.MODEL.BACKBONE.BN_EPSILON = 1e-05
# Initial weight of the last batch norm in each residual block; 0 starts every block as its shortcut. Frozen batch
# norms start at 1.
_C.MODEL.BACKBONE.BN_INIT_GAMMA = 0.0

_C.MODEL.BACKBONE.I3D = CN()
# Non-local blocks behind every second residual block of res3 / res4 (in a stage of one block, behind that one).
# Group: those of res3 look within groups of 4 time steps, the last of which may be shorter; this costs less time.
_C.MODEL.BACKBONE.I3D.CONV3_NONLOCAL = True
_C.MODEL.BACKBONE.I3D.CONV3_GROUP_NL = False
_C.MODEL.BACKBONE.I3D.CONV4_NONLOCAL = True

_C.MODEL.BACKBONE.SLOWFAST = CN()
# Width of the fast pathway as a share of the slow one.
_C.MODEL.BACKBONE.SLOWFAST.BETA = 0.125
# Lateral connection from fast to slow: "tconv" (time-strided convolution).
_C.MODEL.BACKBONE.SLOWFAST.LATERAL = "tconv"
_C.MODEL.BACKBONE.SLOWFAST.SLOW = CN()
# Whether the pathway is built.
_C.MODEL.BACKBONE.SLOWFAST.SLOW.ACTIVE = True
# Non-local blocks in this pathway, as for I3D.
_C.MODEL.BACKBONE.SLOWFAST.SLOW.CONV3_NONLOCAL = True
_C.MODEL.BACKBONE.SLOWFAST.SLOW.CONV3_GROUP_NL = False
_C.MODEL.BACKBONE.SLOWFAST.SLOW.CONV4_NONLOCAL = True
_C.MODEL.BACKBONE.SLOWFAST.FAST = CN()
# Whether the pathway is built.
_C.MODEL.BACKBONE.SLOWFAST.FAST.ACTIVE = True
# Non-local blocks in this pathway, as for I3D.
_C.MODEL.BACKBONE.SLOWFAST.FAST.CONV3_NONLOCAL = False
_C.MODEL.BACKBONE.SLOWFAST.FAST.CONV3_GROUP_NL = False
_C.MODEL.BACKBONE.SLOWFAST.FAST.CONV4_NONLOCAL = False

_C.MODEL.NONLOCAL = CN()
# Standard deviation of the initial weights of a non-local block's convolutions.
_C.MODEL.NONLOCAL.CONV_INIT_STD = 0.01
# Divide the affinities by the root of the inner width; used with USE_SOFTMAX.
_C.MODEL.NONLOCAL.USE_SCALE = True
# Convolutions without a bias.
_C.MODEL.NONLOCAL.NO_BIAS = False
# Halve height and width of keys and values by max pooling.
_C.MODEL.NONLOCAL.USE_MAXPOOL = True
# Softmax over the affinities; False divides them by their number (and is linear in the size of the map).
_C.MODEL.NONLOCAL.USE_SOFTMAX = True
# Start the output convolution at zero, and so the block as the identity; not before a live batch norm that starts at 0,
# since two zeros in a row would never learn.
_C.MODEL.NONLOCAL.USE_ZERO_INIT_CONV = False
# Batch norm behind the output convolution.
_C.MODEL.NONLOCAL.USE_BN = True
# The batch norm of non-local blocks: see the keys of the same name in MODEL.BACKBONE. With a frozen one, which starts
# at 1, the output convolution starts smaller by BN_INIT_GAMMA instead, so that a block that 0 switches off can learn.
_C.MODEL.NONLOCAL.FROZEN_BN = False
_C.MODEL.NONLOCAL.BN_MOMENTUM = 0.1
_C.MODEL.NONLOCAL.BN_EPSILON = 1e-05
_C.MODEL.NONLOCAL.BN_INIT_GAMMA = 0.0

_C.MODEL.ROI_ACTION_HEAD = CN()
# Registered feature extractor behind RoI pooling.
_C.MODEL.ROI_ACTION_HEAD.FEATURE_EXTRACTOR = "2MLPFeatureExtractor"
# Registered predictor that gives the logits.
_C.MODEL.ROI_ACTION_HEAD.PREDICTOR = "FCPredictor"
# "align3d" (RoIAlign) or "pooling3d" (RoIPool); both per frame of the feature map.
_C.MODEL.ROI_ACTION_HEAD.POOLER_TYPE = "align3d"
# Average the feature map over time before pooling; False pools each time step.
_C.MODEL.ROI_ACTION_HEAD.MEAN_BEFORE_POOLER = False
# Cells of a pooled box, per side.
_C.MODEL.ROI_ACTION_HEAD.POOLER_RESOLUTION = 7
# Size of the feature map over the size of the frame.
_C.MODEL.ROI_ACTION_HEAD.POOLER_SCALE = 1.0 / 16
# Samples per cell and side in RoIAlign; 0 adapts them to the box.
_C.MODEL.ROI_ACTION_HEAD.POOLER_SAMPLING_RATIO = 0
# Width of the two fully connected layers.
_C.MODEL.ROI_ACTION_HEAD.MLP_HEAD_DIM = 1024
# Number of classes: the sum of the three groups below. While all four have AVA's values and the data set has a
# label file, they are taken from the label file.
_C.MODEL.ROI_ACTION_HEAD.NUM_CLASSES = 80
# Classes of the exclusive group (one posture per person, softmax).
_C.MODEL.ROI_ACTION_HEAD.NUM_PERSON_MOVEMENT_CLASSES = 14
# Classes of the first multi-label group (sigmoid).
_C.MODEL.ROI_ACTION_HEAD.NUM_OBJECT_MANIPULATION_CLASSES = 49
# Classes of the second multi-label group (sigmoid).
_C.MODEL.ROI_ACTION_HEAD.NUM_PERSON_INTERACTION_CLASSES = 17
# Weights of the three losses.
_C.MODEL.ROI_ACTION_HEAD.POSE_LOSS_WEIGHT = 1.2
_C.MODEL.ROI_ACTION_HEAD.OBJECT_LOSS_WEIGHT = 49.0
_C.MODEL.ROI_ACTION_HEAD.PERSON_LOSS_WEIGHT = 17.0
# Factors on the loss of single classes. "none": all alike. "inverse_frequency": by the labels of the training set, the
# rarer the heavier, with a mean of 1 in each group. "given": CLASS_WEIGHTS.
_C.MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTING = "none"
# One factor a class, in the order of ascending ids, for CLASS_WEIGHTING "given".
_C.MODEL.ROI_ACTION_HEAD.CLASS_WEIGHTS = (1.0,)
_C.MODEL.ROI_ACTION_HEAD.FOCAL_LOSS = CN()
# Exponent that plays down easy examples; 0 is plain cross-entropy.
_C.MODEL.ROI_ACTION_HEAD.FOCAL_LOSS.GAMMA = 2.0
# Weight of positives against negatives; below 0 both weigh 1.
_C.MODEL.ROI_ACTION_HEAD.FOCAL_LOSS.ALPHA = -1.0
# Persons of a clip used in a training step; more are subsampled at random.
_C.MODEL.ROI_ACTION_HEAD.PROPOSAL_PER_CLIP = 10
# Dropout probability before the predictor.
_C.MODEL.ROI_ACTION_HEAD.DROPOUT_RATE = 0.0

_C.MODEL.IA_STRUCTURE = CN()
# Interaction Aggregation over persons, objects and memory, between pooling and prediction.
_C.MODEL.IA_STRUCTURE.ACTIVE = False
# Registered structure: "serial" (block after block), "dense" (each block takes a learnt mean of all before it) or
# "parallel" (layers of blocks side by side).
_C.MODEL.IA_STRUCTURE.STRUCTURE = "serial"
# Blocks in order: "P" persons, "O" objects, "M" memory; a list of lists for "parallel".
_C.MODEL.IA_STRUCTURE.I_BLOCK_LIST = ["P", "O", "M", "P", "O", "M"]
# Slots for persons and for objects of a clip, and for persons of one second of memory; where there are more, those of
# the best score are seen.
_C.MODEL.IA_STRUCTURE.MAX_PERSON = 25
_C.MODEL.IA_STRUCTURE.MAX_OBJECT = 0
_C.MODEL.IA_STRUCTURE.MAX_PER_SEC = 5
# Entries of memory before and after the clip's own second, MEMORY_RATE seconds apart.
_C.MODEL.IA_STRUCTURE.LENGTH = (30, 30)
# Seconds between memory entries.
_C.MODEL.IA_STRUCTURE.MEMORY_RATE = 1
# How the result joins the pooled persons: "concat" or "add".
_C.MODEL.IA_STRUCTURE.FUSION = "concat"
# Initial weights of interaction convolutions; the last one of a block starts at zero with USE_ZERO_INIT_CONV.
_C.MODEL.IA_STRUCTURE.CONV_INIT_STD = 0.01
_C.MODEL.IA_STRUCTURE.USE_ZERO_INIT_CONV = True
# Kept for old files; True is ignored with a warning: the projections always have a bias, as released weights do.
_C.MODEL.IA_STRUCTURE.NO_BIAS = False
# Dropout probability behind the reductions and behind each block's output.
_C.MODEL.IA_STRUCTURE.DROPOUT = 0.0
# Layer norm of what a block has gathered, over its channels, without weights.
_C.MODEL.IA_STRUCTURE.LAYER_NORM = False
# Learn a position for each entry of memory, added to keys and values of M blocks.
_C.MODEL.IA_STRUCTURE.TEMPORAL_POSITION = True
# Kept for old files; False is ignored with a warning: pooled features are always reduced to DIM_INNER.
_C.MODEL.IA_STRUCTURE.ROI_DIM_REDUCE = True
# Widths: pooled features (the backbone's; 2304 counts as not set), inside the blocks, and the result, which must be the
# backbone's for FUSION "add".
_C.MODEL.IA_STRUCTURE.DIM_IN = 2304
_C.MODEL.IA_STRUCTURE.DIM_INNER = 512
_C.MODEL.IA_STRUCTURE.DIM_OUT = 512
# Weigh memory features by how far the loss has moved since they were written (training).
_C.MODEL.IA_STRUCTURE.PENALTY = True

_C.INPUT = CN()
# Frames of a clip before the pathways sample them.
_C.INPUT.FRAME_NUM = 32
# Every how many frames one is taken.
_C.INPUT.FRAME_SAMPLE_RATE = 2
# Stride of the slow pathway over FRAME_NUM: it sees FRAME_NUM / TAU frames.
_C.INPUT.TAU = 8
# Fast frames per slow frame: the fast pathway sees FRAME_NUM / TAU * ALPHA frames.
_C.INPUT.ALPHA = 8
# Draw the first slow frame at random in training.
_C.INPUT.SLOW_JITTER = False
# Frames per second at which whole videos are sampled; 0 takes each file's own frames.
_C.INPUT.FPS = 25.0
# Short side of a frame in pixels, and the longest allowed long side, in training and in test.
_C.INPUT.MIN_SIZE_TRAIN = 256
_C.INPUT.MAX_SIZE_TRAIN = 464
_C.INPUT.MIN_SIZE_TEST = 256
_C.INPUT.MAX_SIZE_TEST = 464
# Mean and standard deviation of each channel on the 0..255 scale, in the order the network sees them.
_C.INPUT.PIXEL_MEAN = [122.7717, 115.9465, 102.9801]
_C.INPUT.PIXEL_STD = [57.375, 57.375, 57.375]
# True gives the network BGR instead of RGB.
_C.INPUT.TO_BGR = False
# Jitter of colours in training, and its bounds: hue in degrees, saturation and value as a share.
_C.INPUT.COLOR_JITTER = False
_C.INPUT.HUE_JITTER = 20.0
_C.INPUT.SAT_JITTER = 0.1
_C.INPUT.VAL_JITTER = 0.1
# Probability of a left-right flip in training; set 0 when classes tell left from right.
_C.INPUT.FLIP_PROB = 0.5
# Largest moves of a training box's edges as shares of its size: x outwards, x inwards, y outwards, y inwards.
_C.INPUT.BOX_JITTER = (0.2, 0.1, 0.1, 0.05)

_C.DATASETS = CN()
# Data sets to train on and to evaluate on: names of the catalog, or paths of data set YAML files.
_C.DATASETS.TRAIN = ()
_C.DATASETS.TEST = ()

_C.DATALOADER = CN()
# Processes that read clips; 0 reads them in the main process.
_C.DATALOADER.NUM_WORKERS = 4
# Height and width of a batch are padded to a multiple of it, in pixels.
_C.DATALOADER.SIZE_DIVISIBILITY = 16
# Put clips that are wider than high, and the others, into batches of their own.
_C.DATALOADER.ASPECT_RATIO_GROUPING = True
# Unreadable videos (or clips, while running) that are skipped and named before the run stops.
_C.DATALOADER.MAX_BAD_VIDEOS = 10
# How clips are drawn in training. "uniform": each once an epoch. "repeat_factor" (LVIS, Gupta et al. 2019): in
# proportion to the largest max(1, sqrt(REPEAT_THRESHOLD / f)) of their classes, where f is the share of clips that show
# the class. "class_balanced": every class equally often. An epoch has as many iterations whatever it is.
_C.DATALOADER.SAMPLING = "uniform"
# Classes in a smaller share of the clips than this are shown more often by "repeat_factor".
_C.DATALOADER.REPEAT_THRESHOLD = 0.01
# Seconds to wait for a batch before the run ends and names the file that a worker hangs on; 0 waits for ever. Below the
# 600 s after which other processes of a run give up waiting for this one without saying why.
_C.DATALOADER.TIMEOUT = 300.0
# How worker processes are started: "fork", "spawn", "forkserver", or "" for the platform's way. "spawn" is slower to
# start, and needed where libraries that are already loaded do not survive a fork.
_C.DATALOADER.START_METHOD = ""

_C.SOLVER = CN()
# Length of training in iterations.
_C.SOLVER.MAX_ITER = 75000
# Length of training in epochs of ceil(clips / VIDEOS_PER_BATCH) iterations; 0 uses MAX_ITER.
_C.SOLVER.MAX_EPOCHS = 0
# Clips of one iteration over all processes together.
_C.SOLVER.VIDEOS_PER_BATCH = 32
# The VIDEOS_PER_BATCH that the rates and lengths below were chosen for: when it differs, they are scaled by the
# linear rule, unless one of them is given on the command line. 0 scales nothing.
_C.SOLVER.REFERENCE_VIDEOS_PER_BATCH = 0
# Learning rate after the warm-up.
_C.SOLVER.BASE_LR = 0.02
# Factors on the learning rate of biases, and of interaction layers.
_C.SOLVER.BIAS_LR_FACTOR = 2
_C.SOLVER.IA_LR_FACTOR = 1.0
# Rule that turns gradients into steps: "sgd" with MOMENTUM, "adam" (weight decay as a part of the gradient) or "adamw"
# (weight decay apart from it).
_C.SOLVER.OPTIMIZER = "sgd"
# Momentum of SGD.
_C.SOLVER.MOMENTUM = 0.9
# Of Adam and AdamW: how slowly the means of gradients and of their squares forget, and what is added to the root.
_C.SOLVER.BETAS = (0.9, 0.999)
_C.SOLVER.EPSILON = 1e-08
# Weight decay of weights, of biases, and of normalisation layers (of a batch norm with its bias; the bias of a layer or
# group norm is one of the biases). Position tables and class tokens count as weights.
_C.SOLVER.WEIGHT_DECAY = 0.0001
_C.SOLVER.WEIGHT_DECAY_BIAS = 0.0
_C.SOLVER.WEIGHT_DECAY_BN = 0.0
# How the rate goes on after the warm-up; all count iterations:
# "warmup_multi_step": x GAMMA at each of STEPS. "half_period_cosine": half a cosine down to MIN_LR_FACTOR at the end.
# "polynomial": (1 - share of the run) ^ POLYNOMIAL_POWER, down to MIN_LR_FACTOR. "exponential": x GAMMA in every
# DECAY_ITERS iterations, evenly. "plateau": x PLATEAU_FACTOR when MONITOR has not become better in PLATEAU_PATIENCE + 1
# evaluations. "one_cycle" (Smith and Topin 2018): up to BASE_LR and down again, with its own warm-up in place of the
# one below.
_C.SOLVER.SCHEDULER = "warmup_multi_step"
# Factor on the rate at each of STEPS (iterations), or in every DECAY_ITERS of "exponential".
_C.SOLVER.GAMMA = 0.1
_C.SOLVER.STEPS = (33750, 67500)
# The steps in epochs, counted from 0, in place of STEPS: with [10, 15] the epochs 10 and 15 begin with a lower rate.
_C.SOLVER.STEP_EPOCHS = []
# Iterations in which "exponential" multiplies the rate by GAMMA; 0 is one epoch.
_C.SOLVER.DECAY_ITERS = 0
# Least rate over BASE_LR of "half_period_cosine", "polynomial" and "plateau".
_C.SOLVER.MIN_LR_FACTOR = 0.0
# Exponent of "polynomial"; 1 is a straight line.
_C.SOLVER.POLYNOMIAL_POWER = 1.0
# "one_cycle": share of the run in which the rate rises; BASE_LR over the first rate; the first rate over the last.
_C.SOLVER.ONE_CYCLE_RISE = 0.3
_C.SOLVER.ONE_CYCLE_START_DIVISOR = 25.0
_C.SOLVER.ONE_CYCLE_END_DIVISOR = 10000.0
# "plateau": factor on the rate, evaluations without a better value that are put up with, and by how much a value must
# be better to count.
_C.SOLVER.PLATEAU_FACTOR = 0.2
_C.SOLVER.PLATEAU_PATIENCE = 3
_C.SOLVER.PLATEAU_MIN_DELTA = 0.0
# Warm-up: from WARMUP_FACTOR times the rate, over WARMUP_ITERS iterations, "linear" or "constant".
_C.SOLVER.WARMUP_ON = True
_C.SOLVER.WARMUP_FACTOR = 1.0 / 3
_C.SOLVER.WARMUP_ITERS = 500
_C.SOLVER.WARMUP_METHOD = "linear"
# Iterations between checkpoints, and between evaluations of DATASETS.TEST.
_C.SOLVER.CHECKPOINT_PERIOD = 5000
_C.SOLVER.EVAL_PERIOD = 5000
# Checkpoints kept, newest first, besides model_final.pth; 0 keeps all.
_C.SOLVER.CHECKPOINTS_KEPT = 0
# Iterations between two lines of progress.
_C.SOLVER.LOG_PERIOD = 20
# Largest norm of all gradients together; a longer gradient is scaled down to it. 0 is off.
_C.SOLVER.CLIP_GRAD_NORM = 0.0
# Arithmetic of the forward pass: "off" (float32), "bf16", or "fp16" with a scaled loss.
_C.SOLVER.AMP = "off"
# The metric that "plateau", SAVE_BEST, EARLY_STOP_PATIENCE and the fine-tuning strategies "adaptive" and "fixed" look
# at: a name of an "eval" line in metrics.jsonl; "" is the task's main one, of the first of DATASETS.TEST. "max": the
# larger the better; "min": the smaller.
_C.SOLVER.MONITOR = ""
_C.SOLVER.MONITOR_MODE = "max"
# Keep the weights of the evaluation with the best MONITOR as model_best.pth.
_C.SOLVER.SAVE_BEST = False
# End the training when so many evaluations in a row have not made MONITOR better by EARLY_STOP_MIN_DELTA; 0 is off.
_C.SOLVER.EARLY_STOP_PATIENCE = 0
_C.SOLVER.EARLY_STOP_MIN_DELTA = 0.0
# Share of the old value that a running mean of the weights keeps at each step (such as 0.999), in step t at most
# (1 + t) / (10 + t); the mean is what is evaluated and saved for tests, beside the weights that train. 0 is off.
_C.SOLVER.EMA_DECAY = 0.0

_C.FINETUNE = CN()
# Which parts of the model train at what time: a registered strategy.
# "none": everything from the start. "static": what STATIC.TRAIN names. "fixed": the head, then the last blocks too.
# "progressive": one layer more every few epochs, from the last. "early_gradual": block after block until a share of the
# backbone trains. "adaptive": one layer more whenever MONITOR stands still. "phases": what PHASES lists.
# "backbone_at_epoch": the head, then the backbone at a rate of its own.
_C.FINETUNE.STRATEGY = "none"
# Length in iterations of what the keys below call an epoch; 0 is an epoch of the training data. With 1 they count
# iterations.
_C.FINETUNE.EPOCH_ITERS = 0
# Rates over SOLVER.BASE_LR: of the head, and of the backbone's last layer.
_C.FINETUNE.HEAD_LR_FACTOR = 1.0
_C.FINETUNE.BACKBONE_LR_FACTOR = 1.0
# Rate of each layer of the backbone over that of the layer behind it (layer-wise decay); 1 is no decay.
_C.FINETUNE.LAYER_LR_DECAY = 1.0
# More factors on the rates of single units or layers: [["layer4", 0.5], ["stem", 0.1]].
_C.FINETUNE.UNIT_LR_FACTORS = []
# What the schedule does when units are released: "none": they join it where it is; "released": it starts anew for them,
# with its warm-up, over the iterations that are left; "all": it does so for everything that trains.
_C.FINETUNE.RESTART_SCHEDULE = "none"
# Batch norms of frozen parts, and of parts that train. "eval": stored statistics and frozen weights. "batch":
# statistics of each batch, which are not stored, and frozen weights. "track": moving statistics and frozen weights.
# "affine": stored statistics and trained weights. "train": moving statistics and trained weights. FROZEN_BN batch norms
# never change.
_C.FINETUNE.BN_OF_FROZEN = "eval"
_C.FINETUNE.BN_OF_TRAINED = "train"
# Release a norm behind the last block (of MViT) with the first block; it is frozen otherwise.
_C.FINETUNE.RELEASE_NORM = False
# Release the stem too, as the last of the blocks or layers.
_C.FINETUNE.RELEASE_STEM = False
# Write the norm of each unit's gradients, after CLIP_GRAD_NORM, to the metrics, as grad_norm/<unit>, every LOG_PERIOD
# iterations.
_C.FINETUNE.LOG_GRAD_NORMS = False

_C.FINETUNE.STATIC = CN()
# Units or layers that train: names of the [PARAMS] table, layers such as "layer4", "head", "backbone" or "all".
_C.FINETUNE.STATIC.TRAIN = ("head",)

_C.FINETUNE.FIXED = CN()
# Epochs with a frozen backbone, and epochs after that. Together they are the length of the run.
_C.FINETUNE.FIXED.PHASE1_EPOCHS = 8
_C.FINETUNE.FIXED.PHASE2_EPOCHS = 15
# Layers (of MViT: blocks) from the last one that train in phase 2.
_C.FINETUNE.FIXED.UNFREEZE_BLOCKS = 3
# Factor on the backbone's rate in phase 2, and the head's rate over the backbone's then.
_C.FINETUNE.FIXED.PHASE2_BACKBONE_LR_SCALE_FACTOR = 1.0
_C.FINETUNE.FIXED.PHASE2_HEAD_LR_RATIO = 5.0
# In phase 1 the schedule waits, and the rate falls by this factor when MONITOR has not become better in patience + 1
# epochs; a patience of -1 is off.
_C.FINETUNE.FIXED.PHASE1_PLATEAU_PATIENCE = 3
_C.FINETUNE.FIXED.PHASE1_PLATEAU_FACTOR = 0.2

_C.FINETUNE.PROGRESSIVE = CN()
# Epochs between two releases; the first comes after so many.
_C.FINETUNE.PROGRESSIVE.EVERY_N_EPOCHS = 1
# Layers (of MViT: blocks) released at most; 0 is all.
_C.FINETUNE.PROGRESSIVE.MAX_UNITS = 4
# Epochs in which a layer is released, in place of every n and the limit: [2, 5, 9].
_C.FINETUNE.PROGRESSIVE.EPOCHS = []

_C.FINETUNE.EARLY_GRADUAL = CN()
# Epochs with a frozen backbone.
_C.FINETUNE.EARLY_GRADUAL.FREEZE_EPOCHS = 1
# Blocks released at the start of each epoch after that, from the last one.
_C.FINETUNE.EARLY_GRADUAL.BLOCKS_PER_EPOCH = 1
# Share of the backbone's parameters to release, and when to stop: "reach": with the block that reaches it;
# "not_exceed": before that one; "closest": whichever of the two is nearer.
_C.FINETUNE.EARLY_GRADUAL.TARGET_RATIO = 0.5
_C.FINETUNE.EARLY_GRADUAL.TARGET_MODE = "reach"

_C.FINETUNE.ADAPTIVE = CN()
# Epochs in a row without a better MONITOR after which one more layer is released.
_C.FINETUNE.ADAPTIVE.PATIENCE = 2
# By how much MONITOR must be better to count (0.005 of a mAP or accuracy is half a point).
_C.FINETUNE.ADAPTIVE.MIN_IMPROVEMENT = 0.005
# The first epoch, from 0, whose metric is looked at.
_C.FINETUNE.ADAPTIVE.FIRST_EPOCH = 1
# Layers (of MViT: blocks) released at most; 0 is all.
_C.FINETUNE.ADAPTIVE.MAX_UNITS = 4

# For "phases": what trains for how long, one after the other: [{"epochs": 10, "train": ["head"]},
# {"epochs": 10, "train": ["all"], "lr_factor": 0.1, "unit_lr_factors": [["backbone", 0.1]], "restart": True}].
# "epochs": 0, allowed in the last one, lasts to the end of the run; otherwise their sum is its length.
_C.FINETUNE.PHASES = []

_C.FINETUNE.BACKBONE_AT_EPOCH = CN()
# Epoch, from 0, at whose start the backbone is released.
_C.FINETUNE.BACKBONE_AT_EPOCH.EPOCH = 10
# What is released: units or layers; "backbone" is all.
_C.FINETUNE.BACKBONE_AT_EPOCH.UNITS = ("backbone",)
# "rule": the backbone's rate starts at INITIAL_RATIO_LR times the head's rate at that time (or at INITIAL_LR if it is
# above 0), is multiplied by MULTIPLIER at each epoch after that, and with SHOULD_ALIGN does not begin an epoch above
# the head's. BACKBONE_LR_FACTOR, LAYER_LR_DECAY and UNIT_LR_FACTORS come on top.
# "schedule": it follows SOLVER.SCHEDULER like everything else, times INITIAL_RATIO_LR.
_C.FINETUNE.BACKBONE_AT_EPOCH.LR = "rule"
_C.FINETUNE.BACKBONE_AT_EPOCH.INITIAL_RATIO_LR = 0.1
_C.FINETUNE.BACKBONE_AT_EPOCH.INITIAL_LR = 0.0
_C.FINETUNE.BACKBONE_AT_EPOCH.MULTIPLIER = 2.0
_C.FINETUNE.BACKBONE_AT_EPOCH.SHOULD_ALIGN = True

_C.TEST = CN()
# Clips of one batch over all processes together.
_C.TEST.VIDEOS_PER_BATCH = 16
# Detected persons with a score below it are left out before the model sees them.
_C.TEST.BOX_THRESH = 0.8
# BOX_THRESH goes before a data set's own box_thresh; True by itself when BOX_THRESH is typed on the command line.
_C.TEST.BOX_THRESH_OVERRULES = False
# Action scores below it are left out of the results.
_C.TEST.ACTION_THRESH = 0.05
# Multiply the action scores of a person by the detector's score of its box; the released results do not.
_C.TEST.WEIGH_BY_BOX_SCORE = False
# Boxes are enlarged by these shares of their width and height before pooling.
_C.TEST.EXTEND_SCALE = (0.1, 0.05)
# Shuffle the frames of every test clip: a model that sees motion loses its score.
_C.TEST.SHUFFLE_FRAMES = False
