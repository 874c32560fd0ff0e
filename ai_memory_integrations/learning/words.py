"""Word lists that rules are checked against. Add to them freely: each is one string of words.

They are closed on purpose: "I'm a nurse" is a job because `nurse` is listed, "I'm a mess" is not.
"""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """The words of a text; an underscore stands for a space within one."""
    return frozenset(word.replace("_", " ") for word in text.split())


NATIONALITIES = word_set("""
afghan albanian algerian american angolan argentine argentinian armenian australian austrian azerbaijani bangladeshi
basque belarusian belgian bolivian bosnian brazilian british bulgarian cambodian cameroonian canadian catalan chilean
chinese colombian congolese costa_rican croatian cuban cypriot czech danish dominican dutch ecuadorian egyptian
english eritrean estonian ethiopian filipino finnish french galician georgian german ghanaian greek guatemalan haitian
honduran hungarian icelandic indian indonesian iranian iraqi irish israeli italian jamaican japanese jordanian kazakh
kenyan korean kosovan kurdish kuwaiti latvian lebanese libyan lithuanian luxembourgish macedonian malaysian maltese
mexican moldovan mongolian moroccan mozambican namibian nepalese nepali nigerian north_macedonian norwegian pakistani
palestinian panamanian paraguayan persian peruvian polish portuguese puerto_rican qatari romanian russian rwandan
saudi scottish senegalese serbian singaporean slovak slovakian slovenian somali south_african south_korean spanish
sri_lankan sudanese swedish swiss syrian taiwanese tanzanian thai tunisian turkish ugandan ukrainian uruguayan uzbek
venezuelan vietnamese welsh yemeni zambian zimbabwean
""")

LANGUAGES = word_set("""
afrikaans albanian amazigh amharic berber breton frisian maori tigrinya wolof hakka hokkien arabic armenian asl
azerbaijani basque bengali bosnian bulgarian burmese cantonese catalan croatian czech danish dutch english esperanto
estonian farsi filipino finnish flemish french gaelic galician georgian german greek gujarati hausa hebrew hindi
hungarian icelandic igbo indonesian irish italian japanese kannada kazakh khmer korean kurdish latin latvian
lithuanian luxembourgish macedonian malay malayalam maltese mandarin chinese marathi mongolian nepali norwegian pashto
persian polish portuguese punjabi quechua romanian russian sanskrit serbian sinhala slovak slovene slovenian somali
spanish swahili swedish tagalog tamil telugu thai tibetan turkish ukrainian urdu uzbek vietnamese welsh xhosa yiddish
yoruba zulu
""")

# The last word of a job as people name it: "senior data engineer", "stay-at-home dad".
OCCUPATIONS = word_set("""
accountant actor actress actuary admin administrator analyst anaesthetist archaeologist architect archivist artist
astronomer attorney auditor author baker banker barber barista bartender beekeeper biologist blacksmith bookkeeper
bookseller bricklayer broker builder butcher captain cardiologist caregiver carer caretaker carpenter cashier chef
chemist choreographer cleaner clerk coach comedian composer conductor consultant cook copywriter counsellor counselor
courier curator dancer dentist dermatologist designer detective developer dietitian diplomat director dj doctor doula
driver economist editor electrician engineer entrepreneur estate_agent facilitator farmer filmmaker financier
firefighter fisherman florist founder freelancer gardener geologist goldsmith grad_student guide hairdresser historian
homemaker housewife illustrator instructor interpreter investor jeweller jeweler joiner journalist judge
lab_technician lawyer lecturer lexicographer librarian lifeguard linguist locksmith machinist manager marketer
masseuse mathematician mechanic mediator meteorologist midwife miner model musician nanny neurologist novelist nurse
nutritionist obstetrician officer operator optician optometrist paediatrician painter paralegal paramedic pastor
pathologist pediatrician pharmacist phd_student philosopher photographer physician physicist physiotherapist pianist
pilot planner plumber podcaster poet policeman policewoman politician postdoc potter presenter principal producer
professor programmer prosecutor psychiatrist psychologist publicist publisher radiographer radiologist realtor
receptionist recruiter reporter researcher roofer sailor salesman saleswoman salesperson scientist sculptor seamstress
secretary shepherd singer social_worker soldier solicitor statistician steward stewardess student stylist surgeon
surveyor tailor taxi_driver teacher technician technologist therapist trader trainee trainer translator tutor
undergraduate upholsterer vet veterinarian violinist waiter waitress warehouse_worker watchmaker webmaster welder
worker writer zookeeper zoologist intern apprentice stay-at-home_dad stay-at-home_mum stay-at-home_mom
stay-at-home_parent head_chef dog_walker hebamme actuarian paediatrician mason stonemason glazier landscaper roofer
tiler farmer rancher priest rabbi imam monk nun student_nurse vet_tech technologist optometrist taxidermist tattooist
sommelier matchmaker undertaker steelworker ceo cto cfo coo vp sre dba
""")

STATUSES = word_set("retired unemployed self-employed semi-retired freelance")

DIETS = word_set(
    "vegan vegetarian pescatarian pescetarian flexitarian fruitarian keto kosher halal plant-based paleo "
    "veggie gluten-free dairy-free lactose-free"
)

CONDITIONS = word_set("""
diabetic asthmatic epileptic deaf blind colour-blind color-blind colourblind colorblind dyslexic autistic bipolar
coeliac celiac lactose_intolerant lactose-intolerant gluten_intolerant gluten-intolerant hard_of_hearing pregnant
anaemic anemic neurodivergent short-sighted nearsighted visually_impaired partially_sighted immunocompromised
""")

AILMENTS = word_set("""
adhd add asthma diabetes epilepsy arthritis migraines migraine insomnia dyslexia autism depression anxiety ibs crohn's
coeliac celiac hypertension eczema psoriasis tinnitus scoliosis endometriosis fibromyalgia hypothyroidism anemia
anaemia sleep_apnea sleep_apnoea high_blood_pressure a_pacemaker hay_fever ocd ptsd parkinson's lupus gout pcos
vertigo coeliac_disease celiac_disease crohn's_disease
""")

AIDS = word_set("""
wheelchair walker cane crutches subtitles captions insulin glasses inhaler pacemaker screen_reader hearing_aid
hearing_aids large_print braille guide_dog service_dog step-free_access wheelchair_access epipen stair_lift white_cane
sign_language_interpreter prosthesis
""")

PETS = word_set("""
dog dogs cat cats puppy puppies kitten kittens rabbit rabbits bunny hamster hamsters parrot parrots budgie budgies
canary goldfish fish tortoise turtle turtles snake gecko lizard iguana horse horses pony ferret ferrets hen hens
chicken chickens guinea_pig guinea_pigs gerbil gerbils rat rats mouse mice goat goats donkey cockatiel retriever
labrador lab poodle beagle terrier dachshund corgi collie shepherd bulldog pug husky spaniel chihuahua greyhound
whippet rottweiler dalmatian schnauzer labradoodle cockapoo tabby siamese ragdoll sphynx hedgehog chinchilla axolotl
""")

POSSESSIONS = word_set("""
car van truck motorbike motorcycle scooter bike e-bike bicycle boat sailboat yacht kayak canoe caravan campervan
camper tesla house home flat apartment condo cottage cabin farm garden greenhouse allotment studio piano guitar violin
cello drums drum_kit keyboard synth camera drone telescope laptop macbook iphone ipad kindle playstation xbox ps5
switch printer 3d_printer sewing_machine treadmill tent surfboard snowboard coffee_machine espresso_machine air_fryer
thermomix robot_vacuum heat_pump solar_panels wood_stove sauna pool vineyard farmhouse houseboat motorhome workshop
barn land cabin bungalow townhouse villa
""")

INSTRUMENTS = word_set("""
guitar piano violin cello drums bass viola flute clarinet oboe saxophone sax trumpet trombone tuba harp ukulele banjo
mandolin accordion harmonica keyboard keyboards organ recorder bassoon horn french_horn fiddle bagpipes percussion
double_bass synth lute sitar
""")

GAMES = word_set("""
tennis football soccer basketball volleyball rugby cricket golf hockey ice_hockey field_hockey badminton squash padel
baseball softball handball chess go bridge poker darts pool snooker billiards lacrosse ultimate ultimate_frisbee
table_tennis ping_pong water_polo american_football pickleball netball backgammon checkers minecraft fortnite
dungeons_and_dragons d&d video_games board_games mahjong scrabble
""")

COLLECTIBLES = word_set("""
stamps coins records vinyl vinyls comics books cards watches toys figurines dolls art antiques fossils minerals
postcards sneakers cameras pens knives maps shells rocks lego crystals teapots typewriters posters magnets clocks
guitars cds
""")

BUSINESSES = word_set("""
bakery cafe café coffee_shop shop bookshop bookstore restaurant company business startup start-up studio farm agency
salon gym hotel store bar pub brewery hostel guesthouse food_truck consultancy clinic practice school kindergarten
nursery vineyard winery charity ngo nonprofit gallery florist garage workshop publishing_house law_firm
""")

ORGANISATIONS = BUSINESSES | word_set("""
hospital university college bank library museum firm factory warehouse supermarket theatre theater lab laboratory
newspaper magazine council government ministry airline airport insurer insurance_company hedge_fund call_centre
call_center care_home bookmaker fire_brigade fire_department fire_service army navy air_force council church police
post_office railway zoo pharmacy dealership organisation organization
""")

# Makes of things that people call by them: "my Honda".
MAKES = frozenset(
    [
        "Honda",
        "Toyota",
        "Volvo",
        "Saab",
        "Skoda",
        "Škoda",
        "Ford",
        "Fiat",
        "Renault",
        "Peugeot",
        "Citroën",
        "Citroen",
        "Dacia",
        "Volkswagen",
        "VW",
        "Golf",
        "BMW",
        "Audi",
        "Mercedes",
        "Porsche",
        "Opel",
        "Vauxhall",
        "Mazda",
        "Nissan",
        "Hyundai",
        "Kia",
        "Subaru",
        "Suzuki",
        "Lexus",
        "Tesla",
        "Jeep",
        "Chevrolet",
        "Chevy",
        "Dodge",
        "Mini",
        "Seat",
        "Polestar",
        "Vespa",
        "Yamaha",
        "Kawasaki",
        "Ducati",
        "Harley",
        "Triumph",
        "Brompton",
        "Trek",
        "MacBook",
        "Macbook",
        "iPhone",
        "iPad",
        "ThinkPad",
        "Pixel",
        "Kindle",
        "Kobo",
        "PlayStation",
        "Xbox",
        "Nikon",
        "Canon",
        "Leica",
        "Fujifilm",
        "Fender",
        "Gibson",
        "Steinway",
        "Thermomix",
        "Roomba",
        "Garmin",
        "Fitbit",
    ]
)

# Food and drink that people leave alone.
FOODS = word_set("""
dairy gluten shellfish nuts peanuts almonds hazelnuts cashews eggs egg milk lactose soy soya wheat sugar caffeine
coffee alcohol wine red_wine beer spirits meat red_meat pork beef chicken lamb fish seafood shrimp prawns crab oysters
cheese butter cream yogurt yoghurt bread pasta rice potatoes tomatoes onions onion garlic mushrooms peppers chili
chilli spicy_food fried_food fast_food processed_food chocolate sweets candy carbs soda cola soft_drinks energy_drinks
gelatin gelatine honey sesame corn legumes beans lentils bananas kiwi strawberries citrus grapefruit avocado avocados
spices salt salami bacon ham sausages tofu oats raw_fish sushi tea black_tea aspirin ibuprofen penicillin
""")

MEDICINES = word_set("""
blood_thinners statins insulin antidepressants painkillers beta_blockers metformin antihistamines steroids cortisone
lithium ritalin adderall thyroxine levothyroxine warfarin the_pill ssris immunosuppressants antibiotics opioids
""")

PROGRAMMING = word_set("""
python rust go golang java javascript typescript kotlin swift c c++ c# ruby php perl haskell scala clojure elixir
erlang r julia matlab sql bash lua dart fortran cobol ocaml f# assembly html css
""")

TOOLS = word_set("""
iphone ipad pixel linux ubuntu debian fedora arch arch_linux nixos windows mac macos android ios vim neovim emacs
helix vs_code vscode pycharm intellij obsidian notion evernote onenote logseq todoist trello asana jira slack signal
telegram whatsapp discord firefox chrome safari brave vivaldi ableton fl_studio logic cubase reaper photoshop
lightroom figma sketch blender autocad excel google_docs google_sheets libreoffice latex spotify netflix tidal strava
garmin duolingo anki kindle postgres postgresql mysql docker kubernetes github gitlab
""")

# What people do in life, unlike what they do in a conversation: "I translate novels", but not "I see the point".
LIFE_VERBS = word_set("""
translate cover teach write paint build design sell repair fix drive ride fly dance sing act cook bake coach train
volunteer farm grow raise breed keep restore record compose perform travel commute edit publish illustrate photograph
film research manage lead organise organize host swim climb sail brew carve sew knit weave dj tutor mentor moderate
blog podcast stream fish hunt forage garden umpire referee lecture sculpt busk freelance survey catalogue curate
foster babysit nanny clean deliver import export weld print preach draw animate mix produce
""")

# What people say they do not do.
SHUNNED_VERBS = word_set("use wear do read watch skate cook ride bake run dance travel gamble fly ski swim hunt vote")

# What people are at for months.
PROJECTS = word_set("""
novel book memoir thesis dissertation album boat house cabin shed kitchen bathroom attic garden treehouse van flat
apartment farmhouse startup podcast cookbook greenhouse barn log_cabin tiny_house canoe motorbike car guitar
screenplay musical opera documentary nursery deck pond bakery cafe
""")

# What somebody does for its own sake, said without more: "I knit".
HOBBY_VERBS = word_set("""
knit crochet climb boulder surf ski snowboard sail dive scuba_dive paint draw garden bake cook hike jog cycle skate
sew quilt fish hunt kayak row dance sing juggle meditate camp fence box swim whittle birdwatch longboard skateboard
blog vlog
""")

# Employers that are typed without a capital.
COMPANIES = word_set("""
google amazon microsoft apple meta facebook netflix ibm oracle intel nvidia tesla spotify uber airbnb siemens bosch
sap samsung sony nokia ikea walmart target costco starbucks deloitte kpmg accenture nasa nestle unilever shell bp ford
toyota
""")

DWELLINGS = word_set("""
flat apartment house town village city suburb suburbs farm countryside studio dorm cabin cottage condo bungalow
townhouse houseboat boat van caravan neighbourhood neighborhood hamlet island mountains country centre center
outskirts
""")

# Places that are typed without a capital, and are worth the risk after "moved to" or "from".
PLACES = word_set("""
amsterdam athens atlanta austin bangkok barcelona beijing belgium berlin birmingham boston brazil bristol brooklyn
brussels budapest california canada chicago chile china colombia copenhagen dallas denmark denver dubai dublin
edinburgh egypt england finland florida france geneva germany ghana glasgow greece hamburg helsinki hong_kong houston
india ireland istanbul italy jakarta japan kenya korea lagos lima lisbon liverpool london los_angeles lyon madrid
manchester melbourne mexico mexico_city miami milan montreal moscow mumbai munich nairobi naples netherlands new_york
nigeria norway oslo ottawa paris peru philadelphia poland portland porto portugal prague rome san_francisco scotland
seattle seoul shanghai singapore spain stockholm sweden switzerland sydney taiwan texas thailand tokyo toronto turin
turkey uk ukraine us usa valencia vancouver vienna vietnam wales warsaw zurich
""")

# Given names, for "hi i'm sarah" typed without a capital.
GIVEN_NAMES = word_set("""
aaron abby adam adrian ahmed aisha alan alba alejandro alex alexander alexandra alice alina amanda amelia amir amy ana
andrea andreas andrew andy angela anita ann anna anne annie anton antonio ben benjamin beth bob brian bruno camila
carla carlos carmen caroline catherine charles charlie charlotte chloe chris christina christine claire clara claudia
dan daniel daniela dave david deborah diana diego dmitri dominic donna dorothy eduardo elena eli elias elizabeth ella
ellen emily emma eric erik esther ethan eva evelyn fatima felix fernando fiona francesca frank gabriel gary george
giulia greg hannah harry hassan heather helen henry hugo ian ines ingrid irene isabel isabella ivan jack jacob james
jamie jan jane janet jason javier jennifer jenny jessica joan joe joel johan john jonas jonathan jorge jose joseph
josh joshua juan julia julian julie karen karl kate katie kevin kim laura lauren lea leah lena leo liam lily linda
lisa liz lorenzo louis louise luca lucas lucia lucy luis luke maria mario marie marta martin martina mary mateo matt
matthew max maya megan mei melissa mia michael michelle miguel mike mohammed molly monica nadia natalia natalie nathan
nicholas nick nicole nina noah nora oliver olivia omar oscar pablo patricia patrick paul paula pedro peter philip
priya rachel rafael raj rebecca ricardo richard rob robert roberto robin rosa ruth ryan sam samantha samuel sandra
sara sarah scott sean sebastian simon sofia sonia sophia sophie stefan stella stephanie stephen steve steven susan
tania tara teresa thomas tim tina tom tomas tony valentina vanessa vera victor victoria vincent wei william yasmin
yuki yusuf zoe
""")

# What follows "I'm" with a capital and is no name.
NOT_NAMES = word_set("""
a able about absolutely actually afraid again against agnostic alive all allergic almost alone already also always
amazed amazing an and angry annoyed anxious anyone anything apple aquarius aries ashamed asian asleep astonished at
atheist available awake aware away awesome awful back bad batman bilingual bipolar bisexual black blessed blind bored
born both brave broke buddhist busy but calm cancer capricorn careful catholic caucasian certain christian clean clear
close clueless cold colour-blind comfortable confused content cool correct crazy curious deaf dead deep definitely
depressed desperate different dizzy doing done down drunk due eager early easy either else embarrassed empty enough
even ever every everyone excellent excited exhausted extremely faithful familiar famous far fast fed feeling female
fine first fit following for foreign forever former fortunate free gen generation level version stage fresh friday
friendly from frustrated full fun further furious gay gemini genuinely glad going gone good grateful great green
grumpy guilty half happy hard having healthy heartbroken here high hindu hispanic home homeless honest honored hopeful
hopeless horrible hot human hundred hungry hurt ill impatient impressed in independent innocent insane inside
interested into intrigued introverted invisible it itching jealous jealously jewish jet-lagged just keen kind kinda
last late later latino leaving left leo less lesbian libra likely literally lonely looking lost lucky mad male married
maybe me mean mentally mindful miserable missing monday more mormon mostly moving much muslim my naked nearby nearly
neither nervous never new nice no nobody none normal not nothing now numb obviously of off ok okay old on one online
only open optimistic or other our out outside over overwhelmed own part perfect pisces pleased poor positive possibly
powerless practically pregnant pretty probably protestant proud puzzled quick quiet quite rather ready real really red
relieved responsible rich right royally running sad safe sagittarius sane saturday scared scorpio searching serious
several shocked short shy sick silent similar simply single skeptical sleepy slightly slow small so sober some
somebody someone something sometimes somewhat soon sore sorry speechless spiderman straight stressed strong struggling
stuck stupid sunday super superman sure surely surprised taking talking tall taurus team tempted terrible terribly
terrified thankful that the there thirsty this thrilled thursday tired to today together tomorrow tonight too torn
totally touched trans transgender truly trying tuesday two unable unavailable uncertain under unhappy unsure until
unwell up upset used using usually very virgo visiting waiting warm watching weak wearing wednesday weird well wet
what when where white who why wide wild willing wise with without wondering working worried worse worth wrong yes
yesterday young your yours spartacus groot legend legion god jesus santa dad mom mum mama papa admin root bot ai gpt
claude siri alexa
""")
